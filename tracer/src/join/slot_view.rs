//! An attempt together with its addresses: what reads and changes its tuples goes through here.

use core::ops::{Deref, DerefMut};

use tracer_common::Flow;

use super::nat64;
use super::slot::Slot;
use super::slot_flags::SlotFlags;
use super::tuple::{Addresses, Tuple, TupleKey};
use crate::model::{Attempt, Dropped, EarlierPorts, Egress, Outcome, Strays, TableFill};

/// How a tuple's destination compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DestinationMatch {
    /// The same address and port
    Same,
    /// Another one
    Different,
    /// One of the other family that embeds the address, or is embedded by it (RFC 6052): NAT64
    Embedded,
    /// Another one of the other family
    OtherFamily,
}

/// A slot and where its addresses are.
#[derive(Clone, Copy, Debug)]
pub(super) struct SlotView<'a> {
    pub(super) slot: &'a Slot,
    pub(super) addresses: &'a Addresses,
}

impl Deref for SlotView<'_> {
    type Target = Slot;

    fn deref(&self) -> &Slot {
        self.slot
    }
}

impl SlotView<'_> {
    /// Only [`SlotFlags`] says whether there is one.
    #[inline]
    pub(super) fn original(self) -> Flow {
        self.flow(self.slot.original, SlotFlags::WIDE_ORIGINAL)
    }

    /// Only [`SlotFlags`] says whether there is one.
    #[inline]
    pub(super) fn translated(self) -> Flow {
        self.flow(self.slot.translated, SlotFlags::WIDE_TRANSLATED)
    }

    #[inline]
    pub(super) fn is_original(self, key: &TupleKey<'_>) -> bool {
        self.is(self.slot.original, SlotFlags::WIDE_ORIGINAL, key)
    }

    #[inline]
    pub(super) fn is_translated(self, key: &TupleKey<'_>) -> bool {
        self.is(self.slot.translated, SlotFlags::WIDE_TRANSLATED, key)
    }

    /// How far the original tuple has the destination.
    #[inline]
    pub(super) fn original_destination(self, key: &TupleKey<'_>) -> DestinationMatch {
        self.goes(self.slot.original, SlotFlags::WIDE_ORIGINAL, key)
    }

    /// How far the translated tuple has the destination.
    #[inline]
    pub(super) fn translated_destination(self, key: &TupleKey<'_>) -> DestinationMatch {
        self.goes(self.slot.translated, SlotFlags::WIDE_TRANSLATED, key)
    }

    #[inline]
    fn flow(self, tuple: Tuple, wide: u32) -> Flow {
        if self.known.has(wide) { self.wide(tuple) } else { tuple.to_ipv4() }
    }

    #[inline]
    fn is(self, tuple: Tuple, wide: u32, key: &TupleKey<'_>) -> bool {
        if self.known.has(wide) { self.wide(tuple) == *key.flow } else { key.narrow == Some(tuple) }
    }

    // Not with the rest: what IPv4 needs shall stay small enough to be inlined.
    #[cold]
    fn wide(self, tuple: Tuple) -> Flow {
        self.addresses.flow(tuple)
    }

    #[inline]
    fn goes(self, tuple: Tuple, wide: u32, key: &TupleKey<'_>) -> DestinationMatch {
        let is_wide = self.known.has(wide);
        let same = match key.narrow {
            Some(other) if !is_wide => tuple.has_destination_of(other),
            None if is_wide => {
                let flow = self.wide(tuple);
                (flow.dst, flow.dst_port) == (key.flow.dst, key.flow.dst_port)
            }
            _ => return self.goes_across(tuple, wide, key),
        };
        if same { DestinationMatch::Same } else { DestinationMatch::Different }
    }

    #[cold]
    fn goes_across(self, tuple: Tuple, wide: u32, key: &TupleKey<'_>) -> DestinationMatch {
        let own = self.flow(tuple, wide);
        let is_embedded = own.dst_port == key.flow.dst_port && nat64::is_same(&own.dst, &key.flow.dst);
        if is_embedded { DestinationMatch::Embedded } else { DestinationMatch::OtherFamily }
    }

    /// The attempt in the words of the model.
    // Made where it stays: it is large.
    #[inline(always)]
    pub(super) fn to_attempt(
        self,
        table: Option<TableFill>,
        outcome: Outcome,
        (netns, ifindex): (u32, u32),
    ) -> Attempt {
        let known = |fact| self.known.has(fact);
        Attempt {
            first_ns: self.first_ns,
            last_ns: self.last_ns,
            isn: self.isn,
            original: known(SlotFlags::ORIGINAL).then(|| self.original()),
            translated: known(SlotFlags::TRANSLATED).then(|| self.translated()),
            socket_netns: (self.socket_netns != 0).then_some(self.socket_netns),
            nat_netns: (self.nat_netns != 0).then_some(self.nat_netns),
            range: known(SlotFlags::RANGE).then(|| self.range.unpack()),
            selections: self.selections(),
            retransmits: self.retransmits(),
            sent_before: u32::from(self.sent_before),
            send_errors: u32::from(self.send_errors),
            send_errno: -i32::from(self.send_errno),
            syns_leaving: u32::from(self.syns_leaving),
            ifindex,
            uplink_netns: (netns != 0).then_some(netns),
            syn_ack_seen: known(SlotFlags::SYN_ACK),
            rst_seen: known(SlotFlags::RST),
            is_answered_unseen: known(SlotFlags::ANSWERED_UNSEEN),
            syn_ack_undelivered: known(SlotFlags::SYN_ACK_UNDELIVERED),
            is_reset_here: known(SlotFlags::RESET_HERE),
            icmp: (self.icmp != 0).then_some((self.icmp.to_be_bytes()[0], self.icmp.to_be_bytes()[1])),
            syn_dropped: self.syn_dropped.unpack(),
            syn_dropped_aside: Dropped::default(),
            dropped_after_leaving: 0,
            unconfirmed: self.unconfirmed,
            answer_dropped: self.answer_dropped.unpack(),
            is_answer_diverted: known(SlotFlags::DIVERTED),
            is_answer_from_elsewhere: known(SlotFlags::FROM_ELSEWHERE),
            packet_class: self.class,
            is_hairpin: known(SlotFlags::HAIRPIN),
            table,
            earlier_ports: EarlierPorts::default(),
            strays: Strays::default(),
            process: None,
            egress: Egress::default(),
            later_path: None,
            outcome,
        }
    }
}

/// A slot and where its addresses are, to be changed.
#[derive(Debug)]
pub(super) struct SlotViewMut<'a> {
    pub(super) slot: &'a mut Slot,
    pub(super) addresses: &'a mut Addresses,
}

impl Deref for SlotViewMut<'_> {
    type Target = Slot;

    fn deref(&self) -> &Slot {
        self.slot
    }
}

impl DerefMut for SlotViewMut<'_> {
    fn deref_mut(&mut self) -> &mut Slot {
        self.slot
    }
}

impl SlotViewMut<'_> {
    #[inline]
    pub(super) fn as_ref(&self) -> SlotView<'_> {
        SlotView { slot: self.slot, addresses: self.addresses }
    }

    #[inline]
    pub(super) fn set_original(&mut self, key: &TupleKey<'_>) {
        let neighbour = (self.translated, SlotFlags::WIDE_TRANSLATED);
        self.slot.original = self.replaced(self.original, SlotFlags::WIDE_ORIGINAL, neighbour, key);
    }

    #[inline]
    pub(super) fn set_translated(&mut self, key: &TupleKey<'_>) {
        let neighbour = (self.original, SlotFlags::WIDE_ORIGINAL);
        self.slot.translated = self.replaced(self.translated, SlotFlags::WIDE_TRANSLATED, neighbour, key);
    }

    fn wide(&self, tuple: Tuple, wide: u32) -> Option<Tuple> {
        self.slot.known.has(wide).then_some(tuple)
    }

    /// The tuple that comes in place of another, beside one that may share its addresses.
    #[inline]
    fn replaced(&mut self, old: Tuple, wide: u32, neighbour: (Tuple, u32), key: &TupleKey<'_>) -> Tuple {
        match key.narrow {
            Some(narrow) if !self.known.has(wide) => narrow,
            _ => self.replaced_wide(old, wide, self.wide(neighbour.0, neighbour.1), key),
        }
    }

    #[cold]
    fn replaced_wide(&mut self, old: Tuple, wide: u32, neighbour: Option<Tuple>, key: &TupleKey<'_>) -> Tuple {
        if self.slot.known.has(wide) {
            self.addresses.release(old, neighbour);
        }
        self.slot.known.put(wide, key.narrow.is_none());
        key.narrow.unwrap_or_else(|| self.addresses.keep(key.flow, neighbour))
    }

    /// Gives back its addresses.
    #[inline]
    pub(super) fn release(&mut self) {
        let wide = SlotFlags::WIDE_ORIGINAL | SlotFlags::WIDE_TRANSLATED;
        if self.slot.known.has_any(wide) {
            self.release_wide();
            self.slot.known.clear(wide);
        }
    }

    #[cold]
    fn release_wide(&mut self) {
        let original = self.wide(self.slot.original, SlotFlags::WIDE_ORIGINAL);
        if let Some(translated) = self.wide(self.slot.translated, SlotFlags::WIDE_TRANSLATED) {
            self.addresses.release(translated, original);
        }
        if let Some(original) = original {
            self.addresses.release(original, None);
        }
    }
}
