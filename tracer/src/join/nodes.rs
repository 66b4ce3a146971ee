//! The joins of all nodes: a batch of events in, a batch of updates out.

use tracer_common::Event;

use super::node::{Join, Limits};
use super::prefetch::{INDEX_DISTANCE, SLOT_DISTANCE};
use super::update::{MAX_BATCH_LEN, Update, Updates};

/// One join for each node, by its number.
#[derive(Debug)]
pub struct Joins {
    nodes: Vec<Join>,
    /// How many of them have ended all their attempts.
    finished: usize,
}

impl Joins {
    /// Joins for so many nodes.
    pub fn new(nodes: usize) -> Self {
        Self::with_limits(nodes, Limits::default())
    }

    /// Joins that keep at most so much each.
    pub fn with_limits(nodes: usize, limits: Limits) -> Self {
        Self { nodes: (0..nodes).map(|_| Join::with_limits(limits)).collect(), finished: 0 }
    }

    /// Takes events from the front and appends what follows from them to `updates`, in a deterministic order. Returns how many were
    /// taken: fewer than all where `updates` is full.
    pub fn take(&mut self, events: &[(u32, Event)], updates: &mut Vec<(u32, Update)>) -> usize {
        for (index, (node, event)) in events.iter().enumerate() {
            self.prefetch(events, index);
            let Some(join) = self.nodes.get_mut(*node as usize) else { continue };
            let updates = &mut Updates::new(*node, updates);
            if updates.is_full() || !join.event(event, updates) {
                return index;
            }
        }
        events.len()
    }

    /// Ends attempts until `updates` is full or all have ended; appends nothing once there is nothing left.
    pub fn finish(&mut self, updates: &mut Vec<(u32, Update)>) {
        while updates.len() < MAX_BATCH_LEN
            && let Some(join) = self.nodes.get_mut(self.finished)
        {
            let updates = &mut Updates::new(self.finished as u32, updates);
            if join.finish(updates) {
                updates.push(Update::Evicted(join.evicted()));
                self.finished += 1;
            }
        }
    }

    /// Open attempts.
    pub fn open(&self) -> usize {
        self.nodes.iter().map(Join::open).sum()
    }

    /// Attempts and bindings that were given up because a table was full.
    pub fn evicted(&self) -> u64 {
        self.nodes.iter().map(Join::evicted).sum()
    }

    /// Has the CPU fetch what the events that come soon after the one at `index` need.
    fn prefetch(&self, events: &[(u32, Event)], index: usize) {
        let after = |distance| {
            let (node, event): &(u32, Event) = events.get(index + distance)?;
            Some((self.nodes.get(*node as usize)?, event))
        };
        if let Some((join, event)) = after(SLOT_DISTANCE) {
            join.prefetch_slot(event);
        }
        if let Some((join, event)) = after(INDEX_DISTANCE) {
            join.prefetch_index(event);
        }
    }

    /// Addresses of IPv6 kept apart from their attempts.
    #[cfg(test)]
    pub(super) fn addresses(&self) -> usize {
        self.nodes.iter().map(|join| join.attempts.addresses()).sum()
    }
}
