//! Retransmits that wait for late facts, released in the order in which they were sent. At most one for each attempt.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::slot::NONE;
use super::times::SETTLE_NS;

/// Retransmits held at most; beyond that the oldest is released early.
const MAX_HELD: usize = 65_536;

/// A retransmit that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held {
    /// When it was sent.
    pub(super) time_ns: u64,
    /// Of which attempt.
    pub(super) attempt: u32,
    /// Which retransmit of the attempt.
    pub(super) ordinal: u32,
    /// Told by the socket, not only by the wire or by NAT.
    pub(super) by_socket: bool,
}

#[derive(Debug, Default)]
pub(super) struct Settling {
    /// By place; `None` where free.
    held: Vec<Option<(u64, Held)>>,
    free: Vec<u32>,
    /// Time, arrival, place. An entry whose place was emptied since is skipped.
    queue: BinaryHeap<Reverse<(u64, u64, u32)>>,
    arrivals: u64,
}

impl Settling {
    /// Holds a retransmit; its place.
    #[expect(clippy::cast_possible_truncation, reason = "there are at most `MAX_HELD` places")]
    pub(super) fn hold(&mut self, held: Held) -> u32 {
        self.arrivals += 1;
        let place = self.free.pop().unwrap_or_else(|| {
            self.held.push(None);
            self.held.len() as u32 - 1
        });
        self.held[place as usize] = Some((self.arrivals, held));
        self.queue.push(Reverse((held.time_ns, self.arrivals, place)));
        place
    }

    /// Whether the oldest must be released before another is held.
    pub(super) fn is_full(&self) -> bool {
        self.queue.len() >= MAX_HELD
    }

    /// What is held at a place.
    pub(super) fn get(&self, place: u32) -> Option<Held> {
        if place == NONE {
            return None;
        }
        self.held.get(place as usize).copied().flatten().map(|(_, held)| held)
    }

    /// Empties a place.
    pub(super) fn take(&mut self, place: u32) -> Option<Held> {
        let (_, held) = self.held.get_mut(place as usize)?.take()?;
        self.free.push(place);
        Some(held)
    }

    /// The next that has settled by `now_ns`.
    pub(super) fn release(&mut self, now_ns: u64) -> Option<Held> {
        while let Some(&Reverse((time_ns, _, _))) = self.queue.peek() {
            if time_ns.saturating_add(SETTLE_NS) > now_ns {
                return None;
            }
            if let Some(held) = self.pop() {
                return Some(held);
            }
        }
        None
    }

    /// The oldest, settled or not; `None` where an entry was emptied before or nothing is left.
    pub(super) fn pop(&mut self) -> Option<Held> {
        let Reverse((_, arrival, place)) = self.queue.pop()?;
        match self.held.get(place as usize) {
            Some(Some((other, _))) if *other == arrival => self.take(place),
            Some(_) | None => None,
        }
    }

    /// Whether nothing is held.
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}
