//! Joins events into attempts: events in, attempts out. Pure and bounded: every decision takes its time from events.

use tracer_common::Event;

use crate::model::Attempt;

/// What the join found out.
#[derive(Debug)]
pub enum Update<'a> {
    /// A SYN was sent again, and everything that could still be learnt about it at once has been waited for.
    Retransmit {
        /// When it was sent, nanoseconds since boot.
        time_ns: u64,
        /// Which retransmit of the attempt this is, from 1.
        ordinal: u32,
        /// The attempt as it is known now.
        attempt: &'a mut Attempt,
    },
    /// Nothing more will be heard of this attempt. Comes exactly once for each.
    Ended {
        /// The attempt in its final state.
        attempt: &'a mut Attempt,
    },
}

/// Attempts under way.
#[derive(Debug, Default)]
pub struct Join {}

impl Join {
    /// Takes one event and tells `update` what follows from it, in a deterministic order.
    pub fn event(&mut self, event: &Event, update: &mut impl FnMut(Update<'_>)) {
        let _ = (event, update);
    }

    /// Ends everything that is under way.
    pub fn finish(&mut self, update: &mut impl FnMut(Update<'_>)) {
        let _ = update;
    }

    /// Attempts and bindings that were given up because a table was full.
    #[must_use]
    pub fn evicted(&self) -> u64 {
        0
    }
}
