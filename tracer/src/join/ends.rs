//! Time: retransmits that have settled are told, attempts that are over end.

use super::attempts::Wait;
use super::bindings::Choice;
use super::known::Known;
use super::retransmits::{Held, NOT_HELD};
use super::slot::Slot;
use super::times::{
    ANSWERED_NS, ANSWERED_WITHIN_NS, DONE_NS, FALL_BACK_NS, IDLE_NS, LINGER_NS, RELIST_NS, SETTLE_NS, SWEEP_NS,
};
use super::tuple::Key;
use super::{Join, Snapshot, Update, What};
use crate::model::Outcome;

/// Why an attempt ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    /// Nothing more is expected.
    Over,
    /// Nothing was heard for longer than any gap between two SYNs.
    Idle,
    /// It has to make room, or the capture ends.
    GivenUp,
}

impl Join {
    /// Ends everything that is under way.
    pub fn finish(&mut self, update: &mut impl FnMut(Update<'_>)) {
        while !self.settling.is_empty() {
            if let Some(held) = self.settling.pop() {
                self.tell(held, update);
            }
        }
        for wait in Wait::ALL {
            while let Some(id) = self.attempts.front(wait) {
                self.end(id, Why::GivenUp, update);
            }
        }
    }

    /// The clock moves on.
    pub(super) fn advance(&mut self, time_ns: u64, update: &mut impl FnMut(Update<'_>)) {
        if time_ns > self.now_ns {
            self.now_ns = time_ns;
        } else if self.now_ns - time_ns > FALL_BACK_NS {
            (self.now_ns, self.due_ns) = (time_ns, 0);
        }
        // For most events this is all.
        if self.now_ns < self.due_ns {
            return;
        }
        while let Some(held) = self.settling.release(self.now_ns) {
            self.tell(held, update);
        }
        self.end_list(Wait::Done, DONE_NS, Why::Over, update);
        self.end_list(Wait::Linger, LINGER_NS, Why::Over, update);
        self.end_list(Wait::Answered, ANSWERED_NS, Why::Over, update);
        self.end_list(Wait::Idle, IDLE_NS, Why::Idle, update);
        self.end_list(Wait::Dropped, IDLE_NS, Why::Idle, update);
        let sweep_ns = self.now_ns.saturating_add(SWEEP_NS);
        self.due_ns = self.settling.next_due_ns().map_or(sweep_ns, |settles_ns| settles_ns.min(sweep_ns));
    }

    fn end_list(&mut self, wait: Wait, for_ns: u64, why: Why, update: &mut impl FnMut(Update<'_>)) {
        while let Some(id) = self.attempts.front(wait) {
            let last_ns = self.attempts.get(id).last_ns;
            // A time far ahead of now was wrong and must not hold up those behind it.
            let is_wrong = last_ns.saturating_sub(self.now_ns) > FALL_BACK_NS;
            if self.now_ns.saturating_sub(last_ns) < for_ns && !is_wrong {
                // What is heard of more often than it is put last again is not to hold up those behind it either.
                if !self.attempts.is_long_before_next(id, RELIST_NS) {
                    return;
                }
                self.attempts.wait(id, wait);
                continue;
            }
            self.attempts.fetch_behind(id);
            self.end(id, if is_wrong { Why::GivenUp } else { why }, update);
        }
    }

    /// Opens an attempt, in place of others where there are too many.
    pub(super) fn open_attempt(&mut self, isn: u32, time_ns: u64, update: &mut impl FnMut(Update<'_>)) -> u32 {
        if let Some(id) = self.attempts.crowded(isn) {
            self.evict(id, update);
        }
        if self.attempts.len() >= self.limits.attempts as usize
            && let Some(id) = Wait::ALL.into_iter().find_map(|wait| self.attempts.front(wait))
        {
            self.evict(id, update);
        }
        self.attempts.open(isn, time_ns)
    }

    pub(super) fn evict(&mut self, id: u32, update: &mut impl FnMut(Update<'_>)) {
        self.evicted += 1;
        self.end(id, Why::GivenUp, update);
    }

    /// Something was heard of the attempt: puts it into the list it waits in now.
    pub(super) fn heard(&mut self, id: u32, time_ns: u64) {
        let slot = self.attempts.get_mut(id);
        let gap_ns = slot.heard(time_ns);
        let (waits, wait) = (slot.wait, waits_for(slot));
        if waits != wait || gap_ns >= RELIST_NS {
            self.attempts.wait(id, wait);
        }
    }

    /// Holds a retransmit until late facts about it are in.
    pub(super) fn hold(&mut self, held: Held, update: &mut impl FnMut(Update<'_>)) {
        let before = self.attempts.get(held.attempt).held;
        if let Some(other) = self.settling.take(before) {
            self.tell(other, update);
        }
        if self.settling.is_full()
            && let Some(oldest) = self.settling.pop()
        {
            self.tell(oldest, update);
        }
        self.due_ns = self.due_ns.min(held.time_ns.saturating_add(SETTLE_NS));
        let place = self.settling.hold(held);
        self.attempts.get_mut(held.attempt).held = place;
    }

    fn tell(&mut self, held: Held, update: &mut impl FnMut(Update<'_>)) {
        let mut slot = self.attempts.whole_mut(held.attempt);
        slot.held = NOT_HELD;
        self.network.retransmitted(&mut slot);
        let Held { attempt: id, time_ns, ordinal, by_socket: _, is_repeated } = held;
        update(Update { id, what: What::Retransmit { time_ns, ordinal, is_repeated }, snapshot: self.snapshot(id) });
    }

    fn end(&mut self, id: u32, why: Why, update: &mut impl FnMut(Update<'_>)) {
        if let Some(held) = self.settling.take(self.attempts.get(id).held) {
            self.tell(held, update);
        }
        let mut snapshot = self.snapshot(id);
        let has_socket = snapshot.slot.known.has(Known::SOCKET);
        if why == Why::Idle && !has_socket && snapshot.outcome == Outcome::Pending {
            snapshot.outcome = Outcome::TimedOut;
        }
        let outcome = snapshot.outcome;
        update(Update { id, what: What::Ended, snapshot });
        self.network.ended(self.attempts.whole(id), outcome);
        self.attempts.close(id);
    }

    fn snapshot(&mut self, id: u32) -> Snapshot<'_> {
        self.recall(id);
        let slot = self.attempts.whole(id);
        let strays = self.attempts.strays(id);
        Snapshot { slot, network: &self.network, strays, table: self.table_of(&slot), outcome: slot.outcome() }
    }

    /// A socket of which neither NAT nor the wire told: perhaps it found the binding of an earlier attempt in place.
    fn recall(&mut self, id: u32) {
        let mut slot = self.attempts.whole_mut(id);
        if !slot.known.has(Known::SOCKET) || slot.known.has(Known::TRANSLATED) {
            return;
        }
        let original = slot.as_ref().original();
        let original = &Key::from(&original);
        if let Some((translated, choice)) = self.bindings.recall(original, slot.first_ns) {
            let translated = &Key::from(&translated);
            slot.remember(translated, &choice);
            // The conntrack entry starts to live anew with the SYN that found it.
            let choice = Choice { time_ns: slot.last_ns, ..choice };
            self.evicted += self.bindings.push(original, translated, choice);
        }
    }
}

fn waits_for(slot: &Slot) -> Wait {
    if slot.outcome == Outcome::Established && slot.retransmits() == 0 {
        Wait::Done
    } else if slot.outcome != Outcome::Pending {
        Wait::Linger
    } else if slot.outcome() != Outcome::Pending && slot.last_ns.saturating_sub(slot.first_ns) <= ANSWERED_WITHIN_NS {
        Wait::Answered
    } else if slot.syn_dropped.any() && !slot.known.has_any(Known::SOCKET | Known::SEEN) {
        Wait::Dropped
    } else {
        Wait::Idle
    }
}
