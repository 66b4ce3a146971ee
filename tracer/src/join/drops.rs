//! `ct_drop` and `ct_table`: what was dropped on this node, and how full its conntrack tables were.

use tracer_common::Flow;
use tracer_common::events::{
    CtDrop, CtTable, DROP_ELSEWHERE, NO_ENTRY, STATUS_CONFIRMED, STATUS_SRC_NAT_DONE, WIRE_SYN,
};

use super::attempts::Wait;
use super::known::Known;
use super::retransmits::Held;
use super::slot::Slot;
use super::times::{Coarse, ONE_SYN_NS, TABLE_NS};
use super::tuple::Key;
use super::update::Updates;
use super::whole::SlotMut;
use super::{Join, fits};
use crate::model::{Dropped, Outcome, TableFill};

/// What an event has in place of a flow that is unknown.
const NO_FLOW: Flow = Flow { src: [0; 16], dst: [0; 16], src_port: 0, dst_port: 0 };

/// A dropped packet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Drop {
    pub(super) isn: u32,
    pub(super) time_ns: u64,
    /// In the direction of the SYN
    pub(super) to_server: Flow,
    /// Before NAT, if the packet tells
    original: Option<Flow>,
    /// NAT had chosen the source that the packet had
    is_translated: bool,
    reason: u32,
    ctinfo: u8,
    pub(super) is_answer: bool,
    is_unconfirmed: bool,
    /// An attempt has taken it
    pub(super) claimed: bool,
}

impl From<&CtDrop> for Drop {
    fn from(event: &CtDrop) -> Self {
        let is_answer = event.packet != WIRE_SYN;
        let chosen = event.status & (STATUS_SRC_NAT_DONE | STATUS_CONFIRMED) == STATUS_SRC_NAT_DONE;
        let is_translated = !is_answer && event.status & STATUS_SRC_NAT_DONE != 0;
        let original = match event.original {
            NO_FLOW if is_answer || is_translated => None,
            // Without an entry nothing has translated it.
            NO_FLOW => Some(event.flow),
            original => Some(original),
        };
        Self {
            original,
            is_translated,
            isn: event.isn,
            time_ns: event.stamp.time_ns,
            to_server: if is_answer { event.flow.reversed() } else { event.flow },
            reason: event.reason,
            ctinfo: event.ctinfo,
            is_answer,
            is_unconfirmed: !is_answer && chosen && event.place != DROP_ELSEWHERE,
            claimed: false,
        }
    }
}

/// [`Dropped`] in four bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PackedDrops {
    count: u8,
    ctinfo: u8,
    /// Subsystem in the upper four bits; neither it nor its reasons have come near the limit
    reason: u16,
}

impl PackedDrops {
    #[expect(clippy::cast_possible_truncation, reason = "masked to what fits")]
    fn note(&mut self, drop: &Drop) {
        self.count = self.count.saturating_add(1);
        self.ctinfo = drop.ctinfo;
        self.reason = ((drop.reason >> 16 & 0xf) << 12 | drop.reason & 0xfff) as u16;
    }

    pub(super) const fn any(self) -> bool {
        self.count > 0
    }

    pub(super) fn unpack(self) -> Dropped {
        let reason = u32::from(self.reason);
        Dropped { count: self.count, ctinfo: self.ctinfo, reason: (reason >> 12) << 16 | reason & 0xfff }
    }
}

/// The fullest table read of late.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Fullest {
    time_ns: u64,
    count: u32,
    max: u32,
}

impl Join {
    /// Notes a drop. The first of a SYN opens no attempt, for most of what nodes drop is of strangers; the second one of the
    /// same SYN does.
    pub(super) fn ct_drop(&mut self, event: &CtDrop, updates: &mut Updates<'_>) {
        let drop = Drop::from(event);
        let to_server = &Key::from(&drop.to_server);
        match self.attempts.find(drop.isn, fits::SAME, |slot| fits::dropped(slot, to_server)) {
            Some((id, _)) => self.take_drop(id, &drop, updates),
            None if self.hints.has_dropped_before(&drop) => self.open_dropped(&drop, updates),
            None => self.hints.drop(drop),
        }
    }

    /// A drop of an attempt. Without a socket here it says that the SYN was sent.
    fn take_drop(&mut self, id: u32, drop: &Drop, updates: &mut Updates<'_>) {
        let mut slot = self.attempts.whole_mut(id);
        slot.dropped(drop);
        let ordinal = slot.sent_and_dropped(drop);
        self.heard(id, drop.time_ns);
        if let Some(ordinal) = ordinal {
            let held = Held { time_ns: drop.time_ns, attempt: id, ordinal, by_socket: false, is_repeated: false };
            self.hold(held, updates);
        }
        self.limit_dropped(updates);
    }

    /// A SYN that was dropped here, retransmitted, and dropped again; perhaps it has no socket here.
    fn open_dropped(&mut self, drop: &Drop, updates: &mut Updates<'_>) {
        let id = self.open_attempt(drop.isn, drop.time_ns, updates);
        let mut slot = self.attempts.whole_mut(id);
        slot.came_dropped(drop);
        slot.dropped(drop);
        let _first = slot.sent_and_dropped(drop);
        let ordinal = self.take_hints(id, drop.time_ns);
        self.heard(id, drop.time_ns);
        if let Some(ordinal) = ordinal {
            let held = Held { time_ns: drop.time_ns, attempt: id, ordinal, by_socket: false, is_repeated: false };
            self.hold(held, updates);
        }
        self.limit_dropped(updates);
    }

    /// A flood of SYNs from outside must not push out the attempts of this node.
    fn limit_dropped(&mut self, updates: &mut Updates<'_>) {
        if self.attempts.dropped() > self.limits.dropped
            && let Some(oldest) = self.attempts.front(Wait::Dropped)
        {
            self.evict(oldest, updates);
        }
    }

    /// Notes how full a table is.
    pub(super) fn ct_table(&mut self, event: &CtTable) {
        if event.is_nearly_full() {
            self.fullest = Fullest { time_ns: event.stamp.time_ns, count: event.count, max: event.max };
        }
    }

    /// Notes what was dropped before the attempt was known.
    pub(super) fn take_drops(&mut self, id: u32, time_ns: u64) {
        let mut slot = self.attempts.whole_mut(id);
        while let Some(drop) = self
            .hints
            .claim_drop(slot.isn, time_ns, |drop| fits::dropped(slot.as_ref(), &Key::from(&drop.to_server)).is_some())
        {
            slot.dropped(&drop);
            slot.sent_before(&drop);
            slot.heard(drop.time_ns);
        }
    }

    /// How full the table was, if that can be why a SYN had no entry.
    pub(super) fn table_of(&self, slot: &Slot) -> Option<TableFill> {
        let Fullest { time_ns, count, max } = self.fullest;
        let is_near =
            time_ns.saturating_add(TABLE_NS) >= slot.first_ns && time_ns <= slot.last_ns.saturating_add(TABLE_NS);
        (max > 0 && is_near && slot.known.has(Known::NO_ENTRY)).then_some(TableFill { count, max })
    }
}

impl SlotMut<'_> {
    /// The tuples of a SYN that was dropped before anything else was known of it.
    fn came_dropped(&mut self, drop: &Drop) {
        if let Some(original) = &drop.original {
            self.came_from(&Key::from(original));
        }
        if drop.is_translated {
            self.set_translated(&Key::from(&drop.to_server));
            self.known.set(Known::TRANSLATED);
        }
    }
}

impl Slot {
    /// A dropped SYN was sent; the ordinal if it was retransmitted. A socket tells of its retransmits itself.
    fn sent_and_dropped(&mut self, drop: &Drop) -> Option<u32> {
        if drop.is_answer || self.known.has(Known::SOCKET) {
            return None;
        }
        let apart_ns = Coarse::from_ns(drop.time_ns).since_ns(self.sent_at);
        if self.transmissions > 0 && apart_ns <= ONE_SYN_NS.cast_signed() {
            return None;
        }
        self.transmission(0, drop.time_ns)
    }

    /// The SYN that NAT or the wire tell of had been sent before, if this one was dropped well before it.
    fn sent_before(&mut self, drop: &Drop) {
        let before_ns = self.sent_at.since_ns(Coarse::from_ns(drop.time_ns));
        let is_counted = self.transmissions > 0 && !self.known.has(Known::SOCKET_RETRANSMITS);
        if is_counted && !drop.is_answer && before_ns > ONE_SYN_NS.cast_signed() {
            self.transmissions = self.transmissions.saturating_add(1);
        }
    }
}

impl SlotMut<'_> {
    fn dropped(&mut self, drop: &Drop) {
        let to_server = &Key::from(&drop.to_server);
        if !drop.is_answer {
            self.syn_dropped.note(drop);
            self.unconfirmed = self.unconfirmed.saturating_add(drop.is_unconfirmed.into());
            if drop.ctinfo == NO_ENTRY {
                self.known.set(Known::NO_ENTRY);
            }
            if self.known.has(Known::ORIGINAL) && self.as_ref().original().src == drop.to_server.dst {
                self.known.set(Known::HAIRPIN);
            }
        } else if self.outcome == Outcome::Pending {
            // Once the client has given up, its own kernel drops what comes late.
            self.answer_dropped.note(drop);
            let slot = self.as_ref();
            let is_known = slot.known.has(Known::ORIGINAL | Known::TRANSLATED);
            if is_known && !slot.is_original(to_server) && !slot.is_translated(to_server) {
                self.known.set(Known::DIVERTED);
            }
        }
    }
}
