//! `syn_retransmit`, `process` and `sock_state`: what a socket of this kernel reports about its attempt.

use tracer_common::events::{self, SockState, Stamp, SynRetransmit, TCP_CLOSE, TCP_ESTABLISHED};

use super::fits;
use super::node::Join;
use super::retransmits::{HeldRetransmit, NOT_HELD};
use super::slot_flags::SlotFlags;
use super::tuple::TupleKey;
use super::update::Updates;
use crate::model::{Outcome, Process};

/// `ETIMEDOUT` (uapi/asm-generic/errno.h)
const ETIMEDOUT: u32 = 110;
/// `ECONNREFUSED`
const ECONNREFUSED: u32 = 111;

/// A SYN is sent again after 1 s at the earliest (RFC 6298, 2; `TCP_TIMEOUT_INIT`).
const FIRST_TIMEOUT_NS: u64 = 1_000_000_000;

impl Join {
    /// Counts the retransmit and holds it until late facts are in.
    pub(super) fn syn_retransmit(&mut self, event: &SynRetransmit, updates: &mut Updates<'_>) {
        let (time_ns, flow) = (event.stamp.time_ns, &TupleKey::from(&event.flow));
        let found = self.find_socket(event.isn, flow, &event.stamp).map(|(id, _)| id);
        let id = self.note_socket(found, event.isn, flow, &event.stamp, updates);
        self.heard(id, time_ns);
        if event.err != 0 {
            self.attempts.get_mut(id).send_failed(event.ordinal, event.err);
            return;
        }
        let is_first_second = time_ns < self.began_ns.saturating_add(FIRST_TIMEOUT_NS);
        self.attempts.get_mut(id).note_sent_before(event.ordinal, time_ns, is_first_second);
        self.attempts.get_mut(id).note_undelivered(time_ns);
        let place = self.attempts.get(id).held;
        if self.settling.get(place).is_some_and(|held| !held.by_socket) {
            self.settling.take(place);
            let slot = self.attempts.get_mut(id);
            slot.held = NOT_HELD;
            slot.discount_wire_retransmit();
        }
        if let Some(ordinal) = self.attempts.get_mut(id).sent_again(event.ordinal) {
            self.hold(HeldRetransmit { time_ns, attempt: id, ordinal, by_socket: true, is_repeated: false }, updates);
        }
    }

    /// Notes which process has the socket of an attempt that is known.
    pub(super) fn process(&mut self, event: &events::Process) {
        let flow = &TupleKey::from(&event.flow);
        if let Some(process) = Process::of(event)
            && let Some((id, _)) = self.find_socket(event.isn, flow, &event.stamp)
        {
            self.attempts.extra_mut(id).process = Some(process);
        }
    }

    /// Notes the outcome, and retransmits that the socket counted and no event reported.
    pub(super) fn sock_state(&mut self, event: &SockState, updates: &mut Updates<'_>) {
        if event.flow.src_port == 0 {
            // The socket found no port to send from, so there was no SYN.
            return;
        }
        let flow = &TupleKey::from(&event.flow);
        let (isn, found) = self.find_closing(event, flow);
        let had_original = found.is_some_and(|id| self.attempts.get(id).known.has(SlotFlags::ORIGINAL));
        let id = self.note_socket(found, isn, flow, &event.stamp, updates);
        let slot = self.attempts.get_mut(id);
        if slot.outcome == Outcome::Pending {
            slot.outcome = outcome(event);
        }
        let time_ns = event.stamp.time_ns;
        // A socket that failed counts SYNs that never left as well.
        let counted = if event.new_state == TCP_ESTABLISHED { event.retransmits } else { 0 };
        let (before, missing) = (slot.retransmits(), slot.count_retransmits(counted));
        if found.is_none() && missing.is_some() {
            slot.sent_before = counted.saturating_add(1);
        }
        let is_repeated = missing.is_none() && !had_original && slot.held == NOT_HELD && before > 0;
        self.heard(id, time_ns);
        if let Some(ordinal) = missing.or(is_repeated.then_some(before)) {
            self.hold(HeldRetransmit { time_ns, attempt: id, ordinal, by_socket: true, is_repeated }, updates);
        }
    }

    /// Once the SYN was acknowledged, the event has the ISN plus one; a socket that closes can be on either side of that.
    fn find_closing(&self, event: &SockState, flow: &TupleKey<'_>) -> (u32, Option<u32>) {
        let before = event.isn.wrapping_sub(1);
        if event.new_state == TCP_ESTABLISHED {
            return (before, self.find_socket(before, flow, &event.stamp).map(|(id, _)| id));
        }
        let same_isn = self.find_socket(event.isn, flow, &event.stamp);
        if same_isn.is_some_and(|(_, grade)| grade == fits::SAME_TUPLE) {
            return (event.isn, same_isn.map(|(id, _)| id));
        }
        match self.find_socket(before, flow, &event.stamp) {
            Some((id, grade)) if grade > same_isn.map_or(fits::SAME_ISN, |(_, grade)| grade) => (before, Some(id)),
            Some(_) | None => (event.isn, same_isn.map(|(id, _)| id)),
        }
    }

    fn find_socket(&self, isn: u32, flow: &TupleKey<'_>, stamp: &Stamp) -> Option<(u32, u8)> {
        self.attempts.find(isn, fits::SAME_TUPLE, |slot| fits::socket(slot, flow, stamp.netns))
    }

    fn note_socket(
        &mut self,
        found: Option<u32>,
        isn: u32,
        flow: &TupleKey<'_>,
        stamp: &Stamp,
        updates: &mut Updates<'_>,
    ) -> u32 {
        let id = found.unwrap_or_else(|| self.open_attempt(isn, stamp.time_ns, updates));
        self.attempts.view_mut(id).socket(flow, stamp.netns);
        if found.is_none() {
            // An attempt that the socket opens has no transmissions of NAT or the wire to add to.
            let _ = self.take_hints(id, stamp.time_ns);
        }
        id
    }
}

const fn outcome(event: &SockState) -> Outcome {
    match (event.new_state, event.err) {
        (TCP_ESTABLISHED, _) => Outcome::Established,
        (TCP_CLOSE, ETIMEDOUT) => Outcome::TimedOut,
        (TCP_CLOSE, ECONNREFUSED) => Outcome::Refused,
        (TCP_CLOSE, _) => Outcome::Closed,
        // Both ends sent a SYN; no event says how the socket goes on from there.
        _ => Outcome::Pending,
    }
}
