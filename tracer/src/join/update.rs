//! What the join reports: updates about attempts, in a batch that is filled up to a limit.

use tracer_common::Event;

use crate::model::Attempt;

/// Updates in a batch. One event can end a million attempts, so a batch that is full interrupts the join.
pub const MAX_BATCH_LEN: usize = 1024;

/// One piece of news of a node.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly all are about attempts, and a batch is used again and again")]
pub enum Update {
    /// About an attempt.
    Attempt {
        /// The attempt's number: no other one has it until this one has ended.
        id: u32,
        /// What happened.
        kind: UpdateKind,
        /// The attempt as it is known now.
        attempt: Attempt,
    },
    /// An event that is about no attempt, at its place between the others: an owner, a loss, an uplink.
    Context(Event),
    /// Time has passed, and everything that was due until then has been reported.
    Tick(TickState),
    /// Attempts and bindings that were given up because a table was full; once for each node, at the end.
    Evicted(u64),
}

/// The state of the join at a tick.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TickState {
    /// Nanoseconds since boot.
    pub time_ns: u64,
    /// Attempts under way.
    pub open: u64,
    /// Attempts that fit into the table.
    pub capacity: u64,
    /// Attempts and bindings that were given up so far because a table was full.
    pub evicted: u64,
}

/// What happened to an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpdateKind {
    /// The SYN was retransmitted, and everything that could still be learnt about it at once has been waited for.
    Retransmit {
        /// When it was sent, nanoseconds since boot.
        time_ns: u64,
        /// Which retransmit of the attempt this is, from 1.
        ordinal: u32,
        /// It was reported before, when the original tuple was unknown.
        is_repeated: bool,
    },
    /// No more updates of this attempt follow. Comes exactly once for each.
    Ended,
}

/// The batch that is being filled, and the node whose updates come next.
#[derive(Debug)]
pub(super) struct Updates<'a> {
    node: u32,
    batch: &'a mut Vec<(u32, Update)>,
}

impl<'a> Updates<'a> {
    pub(super) const fn new(node: u32, batch: &'a mut Vec<(u32, Update)>) -> Self {
        Self { node, batch }
    }

    #[inline]
    pub(super) fn push(&mut self, update: Update) {
        self.batch.push((self.node, update));
    }

    #[inline]
    pub(super) const fn is_full(&self) -> bool {
        self.batch.len() >= MAX_BATCH_LEN
    }
}
