//! Where the pipeline leaves the newest snapshot, and the exporter takes it. Neither waits for the other's work.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::infer::Conclusion;
use crate::join::TickState;
use crate::model::{Capture, Owner, PolicyEvidence};
use crate::tally::Progress;

/// The newest snapshot, shared by pipeline and exporter.
#[derive(Clone, Debug, Default)]
pub struct Board(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    newest: Mutex<Option<(Instant, Arc<Snapshot>)>>,
    /// Somebody has asked for metrics since this was last looked at.
    is_wanted: AtomicBool,
}

impl Board {
    pub(super) fn store(&self, snapshot: Snapshot) {
        *self.newest() = Some((Instant::now(), Arc::new(snapshot)));
    }

    /// The newest snapshot and when it was stored; `None` until all hooks are attached.
    pub(super) fn load(&self) -> Option<(Instant, Arc<Snapshot>)> {
        self.0.is_wanted.store(true, Ordering::Relaxed);
        self.newest().clone()
    }

    /// Whether it was loaded since the last call.
    pub(super) fn take_wanted(&self) -> bool {
        self.0.is_wanted.swap(false, Ordering::Relaxed)
    }

    fn newest(&self) -> MutexGuard<'_, Option<(Instant, Arc<Snapshot>)>> {
        self.0.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

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
