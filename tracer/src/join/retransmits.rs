//! Retransmits that wait for late facts, released in the order in which they were sent. At most one for each attempt.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use super::times::SETTLE_NS;

/// Retransmits held at most; beyond that the oldest is released early.
const MAX_HELD: usize = 65_535;
/// The place of no retransmit.
pub(super) const NOT_HELD: u16 = u16::MAX;

/// A retransmit that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HeldRetransmit {
    /// When it was sent.
    pub(super) time_ns: u64,
    /// Of which attempt.
    pub(super) attempt: u32,
    /// Which retransmit of the attempt.
    pub(super) ordinal: u32,
    /// Reported by the socket, not only by the wire or by NAT.
    pub(super) by_socket: bool,
    /// Reported already, but without the original tuple.
    pub(super) is_repeated: bool,
}

/// When it was sent, its arrival, its place. One whose place was emptied since is skipped.
type Queued = (u64, u64, u16);

#[derive(Debug, Default)]
pub(super) struct Settling {
    /// By place; `None` where free.
    held: Vec<Option<(u64, HeldRetransmit)>>,
    free: Vec<u16>,
    /// Those that came in the order in which they were sent: nearly all.
    in_order: VecDeque<Queued>,
    late: BinaryHeap<Reverse<Queued>>,
    arrivals: u64,
}

impl Settling {
    /// Holds a retransmit; its place.
    #[expect(clippy::cast_possible_truncation, reason = "there are at most `MAX_HELD` places")]
    pub(super) fn hold(&mut self, held: HeldRetransmit) -> u16 {
        self.arrivals += 1;
        let place = self.free.pop().unwrap_or_else(|| {
            self.held.push(None);
            (self.held.len() - 1) as u16
        });
        self.held[place as usize] = Some((self.arrivals, held));
        let queued = (held.time_ns, self.arrivals, place);
        match self.in_order.back() {
            Some(newest) if queued < *newest => self.late.push(Reverse(queued)),
            Some(_) | None => self.in_order.push_back(queued),
        }
        place
    }

    pub(super) fn is_full(&self) -> bool {
        self.in_order.len() + self.late.len() >= MAX_HELD
    }

    pub(super) fn get(&self, place: u16) -> Option<HeldRetransmit> {
        if place == NOT_HELD {
            return None;
        }
        self.held.get(place as usize).copied().flatten().map(|(_, held)| held)
    }

    pub(super) fn take(&mut self, place: u16) -> Option<HeldRetransmit> {
        let (_, held) = self.held.get_mut(place as usize)?.take()?;
        self.free.push(place);
        Some(held)
    }

    /// When the next one has settled.
    pub(super) fn next_due_ns(&self) -> Option<u64> {
        let late = self.late.peek().map(|Reverse(queued)| queued);
        let (time_ns, ..) = self.in_order.front().into_iter().chain(late).min()?;
        Some(time_ns.saturating_add(SETTLE_NS))
    }

    /// The next that has settled by `now_ns`.
    pub(super) fn release(&mut self, now_ns: u64) -> Option<HeldRetransmit> {
        while self.next_due_ns()? <= now_ns {
            if let Some(held) = self.pop() {
                return Some(held);
            }
        }
        None
    }

    /// The oldest, settled or not; `None` where an entry was emptied before or nothing is left.
    pub(super) fn pop(&mut self) -> Option<HeldRetransmit> {
        let (_, arrival, place) = match (self.in_order.front(), self.late.peek()) {
            (Some(front), Some(Reverse(late))) if late < front => self.late.pop()?.0,
            (Some(_), _) => self.in_order.pop_front()?,
            (None, _) => self.late.pop()?.0,
        };
        match self.held.get(place as usize) {
            Some(Some((other, _))) if *other == arrival => self.take(place),
            Some(_) | None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_late_is_released_in_the_order_in_which_it_was_sent() {
        let mut settling = Settling::default();
        for (attempt, time_ns) in (0..).zip([10, 30, 20, 40, 5, 30]) {
            settling.hold(HeldRetransmit { time_ns, attempt, ordinal: 1, by_socket: false, is_repeated: false });
        }
        assert_eq!(settling.next_due_ns(), Some(5 + SETTLE_NS));
        let mut released = Vec::new();
        while let Some(held) = settling.release(30 + SETTLE_NS) {
            released.push((held.time_ns, held.attempt));
        }
        assert_eq!(released, [(5, 4), (10, 0), (20, 2), (30, 1), (30, 5)]);
        assert!(settling.next_due_ns().is_some());
    }
}
