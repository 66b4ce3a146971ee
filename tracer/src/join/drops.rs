//! `ct_drop`: what was dropped on this node, and how full its conntrack tables were.

use tracer_common::events::{CtDrop, CtTable, NO_ENTRY};

use super::attempts::add_one;
use super::dropped_packet::DroppedPacket;
use super::fits;
use super::node::Join;
use super::slot::{Slot, Wait};
use super::slot_flags::SlotFlags;
use super::slot_view::{SlotView, SlotViewMut};
use super::syn_drops::{self, Stage};
use super::times::{Coarse, ONE_SYN_NS, TABLE_NS};
use super::tuple::TupleKey;
use super::update::Updates;
use crate::model::{Outcome, TableFill};

impl Join {
    /// Notes a drop. The first of a SYN opens no attempt, since nodes mostly drop what is of strangers; the second one does.
    pub(super) fn ct_drop(&mut self, event: &CtDrop, updates: &mut Updates<'_>) {
        let drop = DroppedPacket::from(event);
        let to_server = &TupleKey::from(&drop.to_server);
        match self.attempts.find(drop.isn, fits::SAME_TUPLE, |slot| fits::dropped(slot, to_server)) {
            Some((id, _)) => self.take_drop(id, &drop, updates),
            None if self.hints.has_dropped_before(&drop) => self.open_dropped(&drop, updates),
            None => self.hints.drop(drop),
        }
    }

    /// A drop of an attempt. Without a socket here it says that the SYN was sent.
    fn take_drop(&mut self, id: u32, drop: &DroppedPacket, updates: &mut Updates<'_>) {
        let is_on_way = self.note_drop(id, drop);
        let ordinal = if is_on_way { self.attempts.get_mut(id).sent_and_dropped(drop) } else { None };
        self.sent(id, drop.time_ns, ordinal, updates);
        self.limit_dropped(updates);
    }

    /// Notes a drop; whether it stopped the packet on its way.
    fn note_drop(&mut self, id: u32, drop: &DroppedPacket) -> bool {
        let stage = syn_drops::stage(self.attempts.view(id), drop, &self.network.interfaces);
        match stage {
            Stage::Aside if drop.is_answer => {}
            Stage::Aside => self.attempts.extra_mut(id).syn_drops.aside.note(drop),
            Stage::OnTheWay | Stage::AfterLeaving => {
                if !drop.is_answer {
                    let counted = self.attempts.get(id).syn_dropped;
                    self.attempts.extra_mut(id).syn_drops.note(drop, stage, counted);
                } else if is_without_entry(self.attempts.view(id), drop) {
                    add_one(&mut self.attempts.extra_mut(id).strays.without_entry);
                }
                self.attempts.view_mut(id).dropped(drop);
            }
        }
        stage != Stage::Aside
    }

    /// A SYN that was dropped here, retransmitted, and dropped again; perhaps it has no socket here.
    fn open_dropped(&mut self, drop: &DroppedPacket, updates: &mut Updates<'_>) {
        let id = self.open_attempt(drop.isn, drop.time_ns, updates);
        self.attempts.view_mut(id).came_dropped(drop);
        self.note_drop(id, drop);
        let _first = self.attempts.get_mut(id).sent_and_dropped(drop);
        let ordinal = self.take_hints(id, drop.time_ns);
        self.sent(id, drop.time_ns, ordinal, updates);
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

    /// Notes what was dropped before the attempt was known.
    pub(super) fn take_drops(&mut self, id: u32, time_ns: u64) {
        loop {
            let slot = self.attempts.view(id);
            let is_its = |drop: &DroppedPacket| fits::dropped(slot, &TupleKey::from(&drop.to_server)).is_some();
            let Some(drop) = self.hints.claim_drop(slot.isn, time_ns, is_its) else { return };
            let is_on_way = self.note_drop(id, &drop);
            let slot = self.attempts.get_mut(id);
            if is_on_way {
                slot.sent_before(&drop);
            }
            slot.heard(drop.time_ns);
        }
    }

    /// How full the table was, if that can be why a SYN had no entry.
    pub(super) fn table_of(&self, slot: &Slot) -> Option<TableFill> {
        let CtTable { stamp, count, max } = self.full_table?;
        let is_near = stamp.time_ns.saturating_add(TABLE_NS) >= slot.first_ns
            && stamp.time_ns <= slot.last_ns.saturating_add(TABLE_NS);
        (is_near && slot.known.has(SlotFlags::NO_ENTRY)).then_some(TableFill { count, max })
    }
}

impl SlotViewMut<'_> {
    /// The tuples of a SYN that was dropped before any other event of its attempt.
    fn came_dropped(&mut self, drop: &DroppedPacket) {
        if let Some(original) = &drop.original {
            self.came_from(&TupleKey::from(original));
        }
        if drop.is_translated {
            self.set_translated(&TupleKey::from(&drop.to_server));
            self.known.set(SlotFlags::TRANSLATED);
        }
    }
}

impl Slot {
    /// A dropped SYN was sent; the ordinal if it was retransmitted. A socket's retransmits come as events of their own.
    fn sent_and_dropped(&mut self, drop: &DroppedPacket) -> Option<u32> {
        if drop.is_answer || self.known.has(SlotFlags::SOCKET) {
            return None;
        }
        let apart_ns = Coarse::from_ns(drop.time_ns).since_ns(self.sent_at);
        if self.transmissions > 0 && apart_ns <= ONE_SYN_NS.cast_signed() {
            return None;
        }
        self.transmission(0, drop.time_ns)
    }

    /// If this packet was dropped well before the transmission that NAT or the wire reported, that one was a retransmit.
    fn sent_before(&mut self, drop: &DroppedPacket) {
        let before_ns = self.sent_at.since_ns(Coarse::from_ns(drop.time_ns));
        let is_counted = self.transmissions > 0 && !self.known.has(SlotFlags::SOCKET_RETRANSMITS);
        if is_counted && !drop.is_answer && before_ns > ONE_SYN_NS.cast_signed() {
            self.transmissions = self.transmissions.saturating_add(1);
        }
    }
}

/// An answer that the client still waits for has the translated tuple, and no conntrack entry that translates it back.
fn is_without_entry(slot: SlotView<'_>, drop: &DroppedPacket) -> bool {
    let to_server = &TupleKey::from(&drop.to_server);
    drop.ctinfo == NO_ENTRY
        && slot.outcome == Outcome::Pending
        && slot.known.has(SlotFlags::ORIGINAL | SlotFlags::TRANSLATED)
        && !slot.is_original(to_server)
        && fits::was_translated_to(slot, to_server)
}

impl SlotViewMut<'_> {
    fn dropped(&mut self, drop: &DroppedPacket) {
        let to_server = &TupleKey::from(&drop.to_server);
        if !drop.is_answer {
            self.syn_dropped.note(drop);
            self.unconfirmed = self.unconfirmed.saturating_add(drop.is_unconfirmed.into());
            if drop.ctinfo == NO_ENTRY {
                self.known.set(SlotFlags::NO_ENTRY);
            }
            if self.known.has(SlotFlags::ORIGINAL) && self.as_ref().original().src == drop.to_server.dst {
                self.known.set(SlotFlags::HAIRPIN);
            }
        } else if self.outcome == Outcome::Pending {
            // Once the client has given up, its own kernel drops what comes late.
            self.answer_dropped.note(drop);
            let slot = self.as_ref();
            let is_known = slot.known.has(SlotFlags::ORIGINAL | SlotFlags::TRANSLATED);
            if is_known && !slot.is_original(to_server) && !fits::was_translated_to(slot, to_server) {
                let servers = [slot.original().dst, slot.translated().dst];
                let is_of_server = servers.contains(&drop.to_server.dst);
                self.known.set(if is_of_server { SlotFlags::DIVERTED } else { SlotFlags::FROM_ELSEWHERE });
            }
        }
    }
}
