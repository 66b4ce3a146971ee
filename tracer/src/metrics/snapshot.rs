//! What is exported, as of one tick.

use std::sync::Arc;

use crate::infer::Conclusion;
use crate::join::TickState;
use crate::model::{Capture, Owner, PolicyEvidence};
use crate::tally::Progress;

/// The state of a capture at a tick.
#[derive(Clone, Debug, Default)]
pub(super) struct Snapshot {
    pub(super) capture: Option<Arc<Capture>>,
    pub(super) tick: TickState,
    pub(super) progress: Progress,
    /// By owner; those without a series of their own are counted in `other_owners`.
    pub(super) owners: Vec<(Owner, OwnerCounts)>,
    pub(super) other_owners: OwnerCounts,
    pub(super) is_blind: bool,
    /// How long it was blind so far.
    pub(super) blind_ns: u64,
    /// When the last event was lost.
    pub(super) lost_at_ns: Option<u64>,
    /// What the attempts say about ports and policy; renewed less often than the counts.
    pub(super) conclusions: Vec<Conclusion>,
    pub(super) policies: Vec<PolicyEvidence>,
}

/// Counts of an owner. They only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct OwnerCounts {
    pub(super) attempts: u64,
    pub(super) retransmitted: u64,
    pub(super) flagged: u64,
}

impl std::ops::AddAssign for OwnerCounts {
    fn add_assign(&mut self, other: Self) {
        self.attempts += other.attempts;
        self.retransmitted += other.retransmitted;
        self.flagged += other.flagged;
    }
}
