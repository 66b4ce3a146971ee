//! How each fact changes the attempt it belongs to. The order in which facts of one moment come does not matter.

use tracer_common::events::{
    WIRE_CLASS_SHIFT, WIRE_OTHER_HOST, WIRE_OWN, WIRE_RST, WIRE_STRAY, WIRE_SYN, WIRE_SYN_ACK, WIRE_UNREACHABLE, Wire,
};

use super::attempts::{Attempts, add_one};
use super::bindings::Choice;
use super::slot::{PackedRange, Slot};
use super::slot_flags::SlotFlags;
use super::slot_view::{DestinationMatch, SlotViewMut};
use super::times::{Coarse, ONE_SYN_NS, SETTLE_NS};
use super::tuple::TupleKey;

/// Flags of a TCP header (RFC 9293, 3.1).
const TCP_SYN: u16 = 0x02;
const TCP_RST: u16 = 0x04;
const TCP_ACK: u16 = 0x10;

impl Attempts {
    /// Something was seen arriving.
    pub(super) fn observed(&mut self, id: u32, observation: &Wire, flow: &TupleKey<'_>) {
        if observation.packet != WIRE_STRAY {
            self.view_mut(id).observed(observation, flow);
            let is_answer = matches!(observation.packet, WIRE_SYN_ACK | WIRE_RST);
            if is_answer && observation.detail & WIRE_OTHER_HOST != 0 {
                add_one(&mut self.extra_mut(id).strays.for_other_mac);
            }
            return;
        }
        let strays = &mut self.extra_mut(id).strays;
        add_one(match observation.detail {
            flags if flags & TCP_RST != 0 => &mut strays.rsts,
            flags if flags & (TCP_SYN | TCP_ACK) == TCP_SYN => &mut strays.syns,
            flags if flags & TCP_SYN != 0 => &mut strays.syn_acks,
            _ => &mut strays.acks,
        });
    }
}

impl SlotViewMut<'_> {
    pub(super) fn came_from(&mut self, original: &TupleKey<'_>) {
        self.set_original(original);
        self.known.set(SlotFlags::ORIGINAL);
        self.known.clear(SlotFlags::ARRIVED);
    }

    /// The SYN was seen arriving, to be forwarded, or an answer to it.
    fn observed(&mut self, observation: &Wire, flow: &TupleKey<'_>) {
        match observation.packet {
            WIRE_SYN => self.arriving(flow),
            WIRE_UNREACHABLE => self.icmp = observation.detail,
            _ => self.answer(flow, observation.packet == WIRE_RST, observation.stamp.time_ns),
        }
    }

    pub(super) fn socket(&mut self, original: &TupleKey<'_>, netns: u32) {
        self.came_from(original);
        self.known.set(SlotFlags::SOCKET);
        if netns != 0 {
            self.socket_netns = netns;
        }
    }

    /// What NAT chose, for this attempt itself.
    pub(super) fn bind(
        &mut self,
        original: &TupleKey<'_>,
        translated: &TupleKey<'_>,
        choice: &Choice,
        is_chosen: bool,
    ) -> Option<u32> {
        let continues = super::fits::continues(self.as_ref(), original);
        let of_another = continues || super::fits::chooses_again(self.as_ref(), original, translated);
        self.unsee_before_nat(original, translated, choice.time_ns);
        let seen_since = self.known.has(SlotFlags::SEEN) && self.sent_at.since_ns(Coarse::from_ns(choice.time_ns)) > 0;
        let seen = seen_since.then(|| self.as_ref().translated());
        self.take_binding(translated, choice);
        if let Some(seen) = seen {
            self.set_translated(&TupleKey::from(&seen));
        }
        self.known.clear(SlotFlags::FROM_CACHED_BINDING);
        if continues {
            self.known.set(SlotFlags::SECOND_NAT);
            return None;
        }
        if !of_another {
            self.came_from(original);
        }
        if is_chosen || self.binds == 0 {
            self.binds = self.binds.saturating_add(1);
        } else if self.is_newest_transmission(choice.time_ns) {
            return None;
        }
        self.transmission(SlotFlags::SENT_BY_BINDING, choice.time_ns)
    }

    /// The SYN's conntrack entry, where NAT left the source alone.
    pub(super) fn tracked(&mut self, original: &TupleKey<'_>, translated: &TupleKey<'_>, time_ns: u64) -> Option<u32> {
        if !self.known.has(SlotFlags::ORIGINAL) || self.known.has(SlotFlags::ARRIVED) {
            self.came_from(original);
        }
        if !self.known.has(SlotFlags::TRANSLATED) {
            self.set_translated(translated);
            self.known.set(SlotFlags::TRANSLATED);
        }
        self.transmission(SlotFlags::SENT_BY_BINDING, time_ns)
    }

    /// What NAT chose for an earlier attempt with the same original tuple.
    pub(super) fn remember(&mut self, translated: &TupleKey<'_>, choice: &Choice) {
        self.take_binding(translated, choice);
        self.known.set(SlotFlags::FROM_CACHED_BINDING);
    }

    fn take_binding(&mut self, translated: &TupleKey<'_>, choice: &Choice) {
        if self.known.has(SlotFlags::SEEN) && !self.as_ref().is_translated(translated) {
            self.known.set(SlotFlags::EGRESS_MIXED);
        }
        self.set_translated(translated);
        self.known.set(SlotFlags::TRANSLATED);
        self.nat_netns = choice.netns;
        if let Some(range) = choice.range {
            self.ranged(range);
        }
    }

    /// The SYN left by the interface with this number; the ordinal if it was retransmitted.
    pub(super) fn leaving(
        &mut self,
        translated: &TupleKey<'_>,
        interface: u16,
        detail: u16,
        time_ns: u64,
    ) -> Option<u32> {
        if self.is_before_nat(translated, detail) {
            return None;
        }
        if self.known.has(SlotFlags::ORIGINAL | SlotFlags::SEEN) {
            let original = self.as_ref().original();
            self.unsee_before_nat(&TupleKey::from(&original), translated, time_ns);
        }
        self.leaves_as(translated);
        if !self.known.has(SlotFlags::SEEN) {
            self.interface = interface;
            self.syns.put_first(detail);
            self.class = (detail >> WIRE_CLASS_SHIFT) as u8;
        } else if interface != self.newest_interface
            && self.known.has(SlotFlags::SENT_BY_WIRE)
            && self.is_newest_transmission(time_ns)
        {
            return None;
        }
        if self.known.has(SlotFlags::SEEN) && interface != self.newest_interface {
            self.known.set(SlotFlags::EGRESS_MIXED);
        }
        self.known.set(SlotFlags::SEEN);
        self.syns.put_newest(detail);
        if self.syns.newest().lacks_any_of(self.syns.first()) {
            self.known.add_plain_syn();
        }
        self.newest_interface = interface;
        self.syns_leaving = self.syns_leaving.saturating_add(1);
        self.transmission(SlotFlags::SENT_BY_WIRE, time_ns)
    }

    /// The SYN passes an interface between its socket and NAT, which translated it before. There it still has its socket.
    fn is_before_nat(&self, flow: &TupleKey<'_>, detail: u16) -> bool {
        let slot = self.as_ref();
        detail & WIRE_OWN != 0
            && self.known.has(SlotFlags::SEEN | SlotFlags::ORIGINAL | SlotFlags::TRANSLATED)
            && !self.known.has(SlotFlags::FROM_CACHED_BINDING)
            && slot.is_original(flow)
            && !slot.is_translated(flow)
    }

    /// Where the SYN was seen, it was on its way to this NAT: that is not how it left.
    fn unsee_before_nat(&mut self, original: &TupleKey<'_>, translated: &TupleKey<'_>, time_ns: u64) {
        let slot = self.as_ref();
        let is_before = self.known.has(SlotFlags::SEEN | SlotFlags::TRANSLATED | SlotFlags::SENT_BY_WIRE)
            && self.is_newest_transmission(time_ns)
            && slot.is_translated(original)
            && !slot.is_translated(translated);
        if is_before {
            self.known.clear(SlotFlags::SEEN | SlotFlags::TRANSLATED | SlotFlags::SENT_BY_WIRE);
            self.syns_leaving = self.syns_leaving.saturating_sub(1);
        }
    }

    /// Whether what happened at this time can be part of the newest transmission: one SYN passes several interfaces.
    fn is_newest_transmission(&self, time_ns: u64) -> bool {
        Coarse::from_ns(time_ns).since_ns(self.sent_at).unsigned_abs() <= ONE_SYN_NS
    }

    fn leaves_as(&mut self, translated: &TupleKey<'_>) {
        let was_known = self.known.has(SlotFlags::TRANSLATED);
        if was_known && self.as_ref().is_translated(translated) {
            self.known.clear(SlotFlags::FROM_CACHED_BINDING);
            return;
        }
        if self.known.has(SlotFlags::FROM_CACHED_BINDING) {
            // The binding is gone, and with it everything else that came from it.
            (self.nat_netns, self.range) = (0, PackedRange::default());
            self.known.clear(SlotFlags::RANGE | SlotFlags::FROM_CACHED_BINDING);
        } else if was_known {
            let is_nat64 = self.as_ref().translated_destination(translated) == DestinationMatch::Embedded;
            self.source_changes = self.source_changes.saturating_add((!is_nat64).into());
            if !is_nat64 && self.known.has(SlotFlags::SEEN) {
                self.known.set(SlotFlags::EGRESS_MIXED);
            }
        }
        self.set_translated(translated);
        self.known.set(SlotFlags::TRANSLATED);
    }

    fn arriving(&mut self, original: &TupleKey<'_>) {
        if !self.known.has(SlotFlags::ORIGINAL) || self.known.has(SlotFlags::ARRIVED) {
            self.came_from(original);
            self.known.set(SlotFlags::ARRIVED);
        }
    }

    /// The packet left as its own socket sent it, untranslated. The socket's own events have more: its namespace.
    pub(super) fn left_alone(&mut self, flow: &TupleKey<'_>) {
        if !self.known.has(SlotFlags::ORIGINAL) {
            self.came_from(flow);
        }
    }

    /// An answer arrived for the translated tuple.
    fn answer(&mut self, translated: &TupleKey<'_>, is_rst: bool, time_ns: u64) {
        if !self.known.has(SlotFlags::TRANSLATED) || self.known.has(SlotFlags::FROM_CACHED_BINDING) {
            self.leaves_as(translated);
        }
        self.known.set(if is_rst { SlotFlags::RST } else { SlotFlags::SYN_ACK });
        let at = Coarse::from_ns(time_ns);
        if !self.known.has(SlotFlags::ANSWERED) || at.since_ns(self.answered_at) >= 0 {
            self.answered_at = at;
            self.known.set(SlotFlags::ANSWERED);
            self.known.put(SlotFlags::ANSWER_IS_RST, is_rst);
        }
    }
}

impl Slot {
    /// An event belongs to the attempt; returns how long it came after the last one.
    pub(super) fn heard(&mut self, time_ns: u64) -> u64 {
        let gap = time_ns.saturating_sub(self.last_ns);
        self.first_ns = self.first_ns.min(time_ns);
        self.last_ns = self.last_ns.max(time_ns);
        gap
    }

    pub(super) fn ranged(&mut self, range: PackedRange) {
        self.range = range;
        self.known.set(SlotFlags::RANGE);
    }

    /// An event of NAT or the wire says that the SYN was sent; returns the ordinal if it was retransmitted. One of each within
    /// `ONE_SYN_NS` are one transmission, two of a kind are two.
    pub(super) fn transmission(&mut self, how: u32, time_ns: u64) -> Option<u32> {
        let at = Coarse::from_ns(time_ns);
        let apart_ns = at.since_ns(self.sent_at).unsigned_abs();
        if self.transmissions > 0 && !self.known.has(how) && apart_ns <= ONE_SYN_NS {
            self.known.set(how);
            return None;
        }
        self.sent_at = at;
        self.note_undelivered(time_ns);
        self.known.clear(SlotFlags::SENT_BY_BINDING | SlotFlags::SENT_BY_WIRE);
        self.known.set(how);
        if self.transmissions > 0 && self.known.has(SlotFlags::SOCKET_RETRANSMITS) {
            return None;
        }
        self.transmissions = self.transmissions.saturating_add(1);
        (self.transmissions > 1).then(|| u32::from(self.transmissions) - 1)
    }

    /// A SYN is sent now. If a SYN-ACK arrived well before, then the client did not get that.
    pub(super) fn note_undelivered(&mut self, time_ns: u64) {
        let is_late = || Coarse::from_ns(time_ns).since_ns(self.answered_at) > SETTLE_NS.cast_signed();
        if self.known.has(SlotFlags::SYN_ACK | SlotFlags::ANSWERED) && is_late() {
            self.known.set(SlotFlags::SYN_ACK_UNDELIVERED);
        }
    }

    /// The socket reports a retransmit. If that begins the attempt here, then it was sent before as often as the socket says. The first SYN
    /// before the first retransmit may have been missed otherwise, but not where the capture is younger than the wait between them.
    pub(super) fn note_sent_before(&mut self, reported_ordinal: u32, time_ns: u64, is_first_second: bool) {
        // A segment that does not acknowledge the SYN has the client retransmit it at once.
        let is_begun = self.known.has(SlotFlags::SOCKET_RETRANSMITS)
            || self.transmissions > 1
            || time_ns.saturating_sub(self.first_ns) > ONE_SYN_NS;
        if !is_begun && (reported_ordinal > 1 || is_first_second) {
            self.sent_before = narrow(reported_ordinal);
        }
    }

    /// The socket reports a retransmit that worked; returns its ordinal, unless the wire reported it before. `reported_ordinal` counts
    /// what failed on this node as well, where the failure came late enough.
    pub(super) fn sent_again(&mut self, reported_ordinal: u32) -> Option<u32> {
        // Once the socket reports retransmits, those that the wire shows are not counted any more.
        let by_wire = self.transmissions.saturating_sub(1);
        self.known.set(SlotFlags::SOCKET_RETRANSMITS);
        self.sent = self.sent.saturating_add(1);
        let reported = narrow(reported_ordinal);
        self.ordinal = self.ordinal.max(reported);
        let ordinal = if reported == 0 { self.sent } else { reported.saturating_sub(self.unsent).max(1) };
        (ordinal > by_wire).then(|| u32::from(ordinal))
    }

    /// The socket reports how many retransmits there were; returns their number if one of them is new.
    pub(super) fn count_retransmits(&mut self, counted: u8) -> Option<u32> {
        let before = self.retransmits();
        self.ordinal = self.ordinal.max(counted);
        (self.retransmits() > before).then(|| self.retransmits())
    }

    /// The socket reports a retransmit that failed on this node.
    pub(super) fn send_failed(&mut self, reported_ordinal: u32, errno: i32) {
        self.known.set(SlotFlags::SOCKET_RETRANSMITS);
        let reported = narrow(reported_ordinal);
        if reported > self.ordinal {
            self.unsent = self.unsent.saturating_add(1);
            self.ordinal = reported;
        }
        self.send_errors = self.send_errors.saturating_add(1);
        self.send_errno = narrow(errno.unsigned_abs());
    }

    /// The retransmit that only the wire reported is the one that the socket reports now.
    pub(super) fn discount_wire_retransmit(&mut self) {
        self.transmissions = self.transmissions.saturating_sub(1).max(1);
    }
}

fn narrow(count: u32) -> u8 {
    u8::try_from(count).unwrap_or(u8::MAX)
}
