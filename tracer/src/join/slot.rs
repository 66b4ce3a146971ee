//! An attempt as the join keeps it: packed to 112 bytes, since a million of them may be open.
//!
//! Counts end at 255; the kernel sends a SYN again 127 times at most (`tcp_syn_retries`).

use core::mem::offset_of;

use tracer_common::events::{NatBind, NatSelect, RANGE_KNOWN, WIRE_DATA, WIRE_ECN, WIRE_FAST_OPEN, WIRE_MPTCP};

use super::dropped_packet::PackedDrops;
use super::retransmits::NOT_HELD;
use super::slot_flags::SlotFlags;
use super::times::Coarse;
use super::tuple::Tuple;
use crate::model::{NatRange, Outcome, SynFeatures};

/// No slot.
pub(super) const NONE: u32 = u32::MAX;

/// Aligned, and its tuples placed, so that none lies in two lines of the cache: what is read right after it was written
/// would wait until it has reached the cache, behind all that was written before.
#[repr(C, align(16))]
#[derive(Debug, Default)]
pub(super) struct Slot {
    pub(super) original: Tuple,
    pub(super) isn: u32,
    pub(super) translated: Tuple,
    pub(super) known: SlotFlags,
    /// Newest transmission of the SYN by the events of NAT and the wire
    pub(super) sent_at: Coarse,
    /// The next slot of the bucket; in a free slot, the next free slot
    pub(super) next: u32,
    pub(super) first_ns: u64,
    pub(super) last_ns: u64,
    /// Neighbours in the list it waits in
    pub(super) before: u32,
    pub(super) after: u32,
    /// 0 while unknown
    pub(super) socket_netns: u32,
    /// 0 while unknown
    pub(super) nat_netns: u32,
    /// Number of the interface that saw the SYN leave first, in `Interfaces`; 0 before
    pub(super) interface: u16,
    /// As `interface`, for the newest SYN
    pub(super) newest_interface: u16,
    /// Newest answer by the events of the wire
    pub(super) answered_at: Coarse,
    pub(super) range: PackedRange,
    /// `packet_class` of the first SYN that left: a retransmit may lack options; 0 while unknown
    pub(super) class: u8,
    /// The retransmit that waits for late facts, by its place in `Settling`
    pub(super) held: u16,
    /// Type times 256 and code of an ICMP error; 0 for none
    pub(super) icmp: u16,
    pub(super) syn_dropped: PackedDrops,
    pub(super) answer_dropped: PackedDrops,
    /// Bindings made for this ISN
    pub(super) binds: u8,
    /// Times a SYN left with another translated source than known before
    pub(super) source_changes: u8,
    /// Transmissions of the SYN by the events of NAT and the wire
    pub(super) transmissions: u8,
    pub(super) syns_leaving: u8,
    /// Retransmits that the socket reported and that worked
    pub(super) sent: u8,
    /// Highest ordinal that the socket reported
    pub(super) ordinal: u8,
    /// Ordinals that the socket used up for retransmits that failed
    pub(super) unsent: u8,
    /// SYNs that the socket sent before the first event of the attempt
    pub(super) sent_before: u8,
    pub(super) send_errors: u8,
    /// The newest, positive; those of sending are below 256
    pub(super) send_errno: u8,
    /// As the socket reported it
    pub(super) outcome: Outcome,
    pub(super) wait: Wait,
    /// Of the SYNs dropped, those whose translated source was chosen but not confirmed
    pub(super) unconfirmed: u8,
    pub(super) syns: SynBits,
}

const _: () = assert!(size_of::<Slot>() <= 112 && offset_of!(Slot, translated) % 16 == 0);

/// [`NatRange`] in five bytes.
#[repr(C, packed)]
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PackedRange {
    /// The kernel has seven
    flags: u8,
    min_port: u16,
    max_port: u16,
}

impl From<&NatSelect> for PackedRange {
    #[expect(clippy::cast_possible_truncation, reason = "flags that do not exist are left out")]
    fn from(event: &NatSelect) -> Self {
        Self { flags: event.flags as u8, min_port: event.min_port, max_port: event.max_port }
    }
}

impl PackedRange {
    /// The range that the binding was chosen from, if it brought it along.
    #[expect(clippy::cast_possible_truncation, reason = "flags that do not exist are left out")]
    pub(super) fn of(event: &NatBind) -> Option<Self> {
        let flags = event.range_flags as u8;
        let is_known = event.range_flags & RANGE_KNOWN != 0;
        is_known.then_some(Self { flags, min_port: event.min_port, max_port: event.max_port })
    }

    pub(super) fn unpack(self) -> NatRange {
        NatRange { flags: self.flags.into(), min_port: self.min_port, max_port: self.max_port }
    }
}

const _: () = assert!(WIRE_ECN == 2 && WIRE_DATA == 4 && WIRE_FAST_OPEN == 8 && WIRE_MPTCP == 16);

/// What the first SYN (low half) and the newest one asked for: `detail` in `wire`, shifted by one.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SynBits(u8);

impl SynBits {
    #[inline]
    pub(super) const fn put_first(&mut self, detail: u16) {
        self.0 = self.0 & 0xf0 | (detail >> 1) as u8 & 0x0f;
    }

    #[inline]
    pub(super) const fn put_newest(&mut self, detail: u16) {
        self.0 = self.0 & 0x0f | (detail << 3) as u8 & 0xf0;
    }

    pub(super) const fn first(self) -> SynFeatures {
        features((self.0 as u16) << 1)
    }

    pub(super) const fn newest(self) -> SynFeatures {
        features(self.0 as u16 >> 3)
    }
}

const fn features(detail: u16) -> SynFeatures {
    SynFeatures {
        ecn: detail & WIRE_ECN != 0,
        data: detail & WIRE_DATA != 0,
        fast_open: detail & WIRE_FAST_OPEN != 0,
        mptcp: detail & WIRE_MPTCP != 0,
    }
}

/// What an attempt waits for; each has its list, ordered by the time of the last event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Wait {
    /// Anything at all; so far its SYNs were only dropped here, and it has no socket here.
    Dropped,
    /// Anything at all.
    #[default]
    Idle,
    /// Another SYN, which would show that the answer did not get through.
    Answered,
    /// Late facts; the outcome is known.
    Linger,
    /// Nothing; it went as it should.
    Done,
}

impl Wait {
    /// In the order in which attempts are given up when there are too many.
    pub(super) const ALL: [Self; 5] = [Self::Dropped, Self::Done, Self::Linger, Self::Answered, Self::Idle];
}

impl Slot {
    /// When the newest SYN was sent, by the events of NAT and the wire; else when the last event was.
    pub(super) fn sent_ns(&self) -> u64 {
        if !self.known.has_any(SlotFlags::SENT_BY_BINDING | SlotFlags::SENT_BY_WIRE) {
            return self.last_ns;
        }
        let since_ns = Coarse::from_ns(self.last_ns).since_ns(self.sent_at);
        self.last_ns.saturating_sub(u64::try_from(since_ns).unwrap_or_default())
    }

    pub(super) fn new(isn: u32, time_ns: u64) -> Self {
        Self {
            first_ns: time_ns,
            last_ns: time_ns,
            isn,
            next: NONE,
            before: NONE,
            after: NONE,
            held: NOT_HELD,
            ..Self::default()
        }
    }

    /// By the socket's events where it has any about retransmits; else every transmission but the first.
    pub(super) fn retransmits(&self) -> u32 {
        let reported = self.sent.max(self.ordinal.saturating_sub(self.unsent));
        u32::from(reported.max(self.transmissions.saturating_sub(1)))
    }

    /// The number of bindings; without such events, what changes on the wire prove.
    pub(super) fn selections(&self) -> u32 {
        let changes = u32::from(self.source_changes);
        u32::from(self.binds).max(if changes > 0 { changes + 1 } else { 0 })
    }

    /// The socket's word; only where there is no socket, what the wire says.
    pub(super) fn outcome(&self) -> Outcome {
        match () {
            () if self.known.has(SlotFlags::SOCKET) => self.outcome,
            () if self.is_answered() && self.known.has(SlotFlags::ANSWER_IS_RST) => Outcome::Refused,
            () if self.is_answered() || self.known.has(SlotFlags::ANSWERED_UNSEEN) => Outcome::Established,
            // Most clients give up at once; those that do not send again.
            () if self.icmp != 0 && self.retransmits() == 0 => Outcome::Closed,
            () => self.outcome,
        }
    }

    /// An answer was seen on the wire, and no SYN was retransmitted after it.
    pub(super) fn is_answered(&self) -> bool {
        self.known.has(SlotFlags::ANSWERED) && (self.transmissions == 0 || self.answered_at.since_ns(self.sent_at) >= 0)
    }
}
