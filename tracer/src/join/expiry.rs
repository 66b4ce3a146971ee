//! Time: retransmits that have settled are reported, attempts that are over end.

use super::bindings::Choice;
use super::node::Join;
use super::retransmits::{HeldRetransmit, NOT_HELD};
use super::slot::{Slot, Wait};
use super::slot_flags::SlotFlags;
use super::times::{
    ANSWERED_NS, ANSWERED_WITHIN_NS, DONE_NS, FALL_BACK_NS, IDLE_NS, LINGER_NS, RELIST_NS, SETTLE_NS, SWEEP_NS,
};
use super::tuple::TupleKey;
use super::update::{Update, UpdateKind, Updates};
use crate::model::Outcome;

impl Join {
    /// Ends every open attempt; `false` where `updates` is full before.
    pub(super) fn finish(&mut self, updates: &mut Updates<'_>) -> bool {
        if !self.release_settled(u64::MAX, updates) {
            return false;
        }
        for wait in Wait::ALL {
            while let Some(id) = self.attempts.front(wait) {
                if updates.is_full() {
                    return false;
                }
                self.end(id, false, updates);
            }
        }
        true
    }

    /// The clock moves on; `false` where `updates` is full before everything that is due was reported.
    pub(super) fn advance(&mut self, time_ns: u64, updates: &mut Updates<'_>) -> bool {
        self.began_ns = self.began_ns.min(time_ns);
        if time_ns > self.now_ns {
            self.now_ns = time_ns;
        } else if self.now_ns - time_ns > FALL_BACK_NS {
            (self.now_ns, self.due_ns) = (time_ns, 0);
        }
        // For most events this is all.
        if self.now_ns < self.due_ns {
            return true;
        }
        let is_done = self.release_settled(self.now_ns, updates)
            && self.end_list(Wait::Done, DONE_NS, updates)
            && self.end_list(Wait::Linger, LINGER_NS, updates)
            && self.end_list(Wait::Answered, ANSWERED_NS, updates)
            && self.end_list(Wait::Idle, IDLE_NS, updates)
            && self.end_list(Wait::Dropped, IDLE_NS, updates);
        if !is_done {
            // Whatever the next event is, what is due comes first.
            self.due_ns = 0;
            return false;
        }
        let sweep_ns = self.now_ns.saturating_add(SWEEP_NS);
        self.due_ns = self.settling.next_due_ns().map_or(sweep_ns, |settles_ns| settles_ns.min(sweep_ns));
        true
    }

    fn release_settled(&mut self, now_ns: u64, updates: &mut Updates<'_>) -> bool {
        while !updates.is_full() {
            let Some(held) = self.settling.release(now_ns) else { return true };
            self.report(held, updates);
        }
        false
    }

    fn end_list(&mut self, wait: Wait, for_ns: u64, updates: &mut Updates<'_>) -> bool {
        while let Some(id) = self.attempts.front(wait) {
            let last_ns = self.attempts.get(id).last_ns;
            // A time far ahead of now was wrong and must not hold up those behind it.
            let is_wrong = last_ns.saturating_sub(self.now_ns) > FALL_BACK_NS;
            if self.now_ns.saturating_sub(last_ns) < for_ns && !is_wrong {
                // An attempt with many events is moved to the end of its list only now and then: it must not hold up those behind it.
                if !self.attempts.is_long_before_next(id, RELIST_NS) {
                    return true;
                }
                self.attempts.wait(id, wait);
                continue;
            }
            if updates.is_full() {
                return false;
            }
            self.attempts.fetch_behind(id);
            self.end(id, !is_wrong && for_ns == IDLE_NS, updates);
        }
        true
    }

    /// Opens an attempt, in place of others where there are too many.
    pub(super) fn open_attempt(&mut self, isn: u32, time_ns: u64, updates: &mut Updates<'_>) -> u32 {
        if let Some(id) = self.attempts.crowded(isn) {
            self.evict(id, updates);
        }
        if self.attempts.len() >= self.limits.attempts as usize
            && let Some(id) = Wait::ALL.into_iter().find_map(|wait| self.attempts.front(wait))
        {
            self.evict(id, updates);
        }
        self.attempts.open(isn, time_ns)
    }

    pub(super) fn evict(&mut self, id: u32, updates: &mut Updates<'_>) {
        self.evicted += 1;
        self.end(id, false, updates);
    }

    /// An event belongs to the attempt: puts it into the list that it waits in now.
    pub(super) fn heard(&mut self, id: u32, time_ns: u64) {
        let slot = self.attempts.get_mut(id);
        let gap_ns = slot.heard(time_ns);
        let (waits, wait) = (slot.wait, waits_for(slot));
        if waits != wait || gap_ns >= RELIST_NS {
            self.attempts.wait(id, wait);
        }
    }

    /// A SYN was sent, by an event of NAT, the wire or a drop; the ordinal if it was retransmitted.
    pub(super) fn sent(&mut self, id: u32, time_ns: u64, ordinal: Option<u32>, updates: &mut Updates<'_>) {
        self.heard(id, time_ns);
        if let Some(ordinal) = ordinal {
            self.hold(HeldRetransmit { time_ns, attempt: id, ordinal, by_socket: false, is_repeated: false }, updates);
        }
    }

    /// Holds a retransmit until late facts about it are in.
    pub(super) fn hold(&mut self, held: HeldRetransmit, updates: &mut Updates<'_>) {
        let before = self.attempts.get(held.attempt).held;
        if let Some(other) = self.settling.take(before) {
            self.report(other, updates);
        }
        if self.settling.is_full()
            && let Some(oldest) = self.settling.pop()
        {
            self.report(oldest, updates);
        }
        self.due_ns = self.due_ns.min(held.time_ns.saturating_add(SETTLE_NS));
        let place = self.settling.hold(held);
        self.attempts.get_mut(held.attempt).held = place;
    }

    fn report(&mut self, held: HeldRetransmit, updates: &mut Updates<'_>) {
        let mut slot = self.attempts.view_mut(held.attempt);
        slot.held = NOT_HELD;
        self.network.retransmitted(&mut slot);
        let HeldRetransmit { attempt: id, time_ns, ordinal, by_socket: _, is_repeated } = held;
        let kind = UpdateKind::Retransmit { time_ns, ordinal, is_repeated };
        self.recall(id);
        self.take_resets(id);
        if self.attempts.extra(id).strays.is_of_older() {
            self.network.challenged(self.attempts.view(id));
        }
        let outcome = self.attempts.get(id).outcome();
        self.push(id, kind, outcome, updates);
    }

    /// An attempt ends; `is_idle` where no event came for longer than any gap between two SYNs, so that no more is expected.
    fn end(&mut self, id: u32, is_idle: bool, updates: &mut Updates<'_>) {
        if let Some(held) = self.settling.take(self.attempts.get(id).held) {
            self.report(held, updates);
        }
        self.recall(id);
        self.take_resets(id);
        let slot = self.attempts.get(id);
        let has_timed_out = is_idle && !slot.known.has(SlotFlags::SOCKET) && slot.outcome() == Outcome::Pending;
        let outcome = if has_timed_out { Outcome::TimedOut } else { slot.outcome() };
        self.push(id, UpdateKind::Ended, outcome, updates);
        let is_challenged = self.attempts.extra(id).strays.is_of_older();
        self.network.ended(self.attempts.view(id), outcome, is_challenged);
        self.attempts.close(id);
    }

    fn push(&self, id: u32, kind: UpdateKind, outcome: Outcome, updates: &mut Updates<'_>) {
        let slot = self.attempts.view(id);
        let interfaces = &self.network.interfaces;
        let mut attempt = slot.to_attempt(self.table_of(&slot), outcome, interfaces.place_of(slot.interface));
        let extra = self.attempts.extra(id);
        let drops = &extra.syn_drops;
        (attempt.syn_dropped_aside, attempt.dropped_after_leaving) = (drops.aside.unpack(), drops.after_leaving);
        // Healthy attempts need no more, and most are healthy.
        if attempt.retransmits > 0 {
            (attempt.strays, attempt.earlier_ports, attempt.process) =
                (extra.strays, extra.earlier_ports, extra.process);
            attempt.egress = self.network.egress(slot);
            attempt.later_path = self.network.later_path(slot);
        } else {
            attempt.egress.encapsulates = interfaces.encapsulates(slot.newest_interface);
            if outcome.has_failed() {
                attempt.egress.interface = interfaces.name(slot.newest_interface);
                self.network.asked(slot, &mut attempt.egress);
            }
        }
        updates.push(Update::Attempt { id, kind, attempt });
    }

    /// An attempt of a socket without events of NAT or the wire: the SYN may have used the binding of an earlier attempt.
    fn recall(&mut self, id: u32) {
        let mut slot = self.attempts.view_mut(id);
        if !slot.known.has(SlotFlags::SOCKET) || slot.known.has(SlotFlags::TRANSLATED) {
            return;
        }
        let original = slot.as_ref().original();
        let original = &TupleKey::from(&original);
        if let Some((translated, choice)) = self.bindings.recall(original, slot.first_ns) {
            let translated = &TupleKey::from(&translated);
            slot.remember(translated, &choice);
            // A SYN that finds the conntrack entry restarts the entry's timeout.
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
    } else if slot.syn_dropped.any() && !slot.known.has_any(SlotFlags::SOCKET | SlotFlags::SEEN) {
        Wait::Dropped
    } else {
        Wait::Idle
    }
}
