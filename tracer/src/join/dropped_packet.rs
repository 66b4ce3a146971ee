//! A packet that was dropped on this node, and what an attempt keeps of its dropped packets.

use tracer_common::Flow;
use tracer_common::events::{CtDrop, DROP_ELSEWHERE, NO_ENTRY, STATUS_CONFIRMED, STATUS_SRC_NAT_DONE, WIRE_SYN};

use crate::model::Dropped;

/// What an event has in place of a flow that is unknown.
const NO_FLOW: Flow = Flow { src: [0; 16], dst: [0; 16], src_port: 0, dst_port: 0 };

/// A dropped packet.
#[derive(Clone, Copy, Debug)]
pub(super) struct DroppedPacket {
    pub(super) isn: u32,
    pub(super) time_ns: u64,
    /// In the direction of the SYN
    pub(super) to_server: Flow,
    /// Before NAT, if the event has it
    pub(super) original: Option<Flow>,
    /// NAT had chosen the source that the packet had
    pub(super) is_translated: bool,
    /// Where: namespace and interface; 0 where they are unknown
    pub(super) netns: u32,
    pub(super) ifindex: u32,
    reason: u32,
    pub(super) ctinfo: u8,
    pub(super) is_answer: bool,
    pub(super) is_unconfirmed: bool,
    /// An attempt has taken it
    pub(super) claimed: bool,
}

impl From<&CtDrop> for DroppedPacket {
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
            netns: event.stamp.netns,
            ifindex: event.ifindex,
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
    /// In the upper bit, that an earlier one differs
    ctinfo: u8,
    /// Subsystem in the upper four bits; neither it nor its reasons have come near the limit
    reason: u16,
}

impl PackedDrops {
    const MIXED: u8 = 0x80;

    #[expect(clippy::cast_possible_truncation, reason = "masked to what fits")]
    pub(super) fn note(&mut self, drop: &DroppedPacket) {
        let before = *self;
        self.count = self.count.saturating_add(1);
        self.reason = ((drop.reason >> 16 & 0xf) << 12 | drop.reason & 0xfff) as u16;
        self.ctinfo = drop.ctinfo & !Self::MIXED;
        let differs = (before.ctinfo, before.reason) != (self.ctinfo, self.reason);
        if before.count > 0 && differs {
            self.ctinfo |= Self::MIXED;
        }
    }

    /// Adds those of `all` that are not among the earlier ones of `before`.
    pub(super) const fn move_from(&mut self, all: Self, before: Self) {
        let count = self.count.saturating_add(all.count.saturating_sub(before.count));
        let is_first = self.count == 0;
        *self = if is_first { all } else { Self { ctinfo: all.ctinfo | Self::MIXED, ..all } };
        self.count = count;
    }

    pub(super) const fn any(self) -> bool {
        self.count > 0
    }

    pub(super) fn unpack(self) -> Dropped {
        let (reason, ctinfo) = (u32::from(self.reason), self.ctinfo & !Self::MIXED);
        Dropped {
            count: self.count,
            reason: (reason >> 12) << 16 | reason & 0xfff,
            ctinfo: if ctinfo == NO_ENTRY & !Self::MIXED { NO_ENTRY } else { ctinfo },
            are_mixed: self.ctinfo & Self::MIXED != 0,
        }
    }
}
