//! What a packet is to an attempt: what TC would report of it.

use tracer_common::Flow;

use super::link::Direction;
use super::segment::{TCP_ACK, TCP_RST, TCP_SYN, TcpSegment};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PacketKind {
    Syn,
    SynAck,
    /// The answer to a SYN that nobody wants.
    Refusal,
    /// An RST that can be the answer to a SYN-ACK.
    Reset,
    /// An ICMP error about a SYN.
    Unreachable,
    /// A segment for a SYN that waits, which does not acknowledge it.
    Stray,
    /// A segment of the client of a SYN that waits: it got an answer that is not in the capture.
    Continues,
}

/// A packet that shows something of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObservedPacket {
    pub time_ns: u64,
    pub kind: PacketKind,
    pub isn: u32,
    pub interface: u32,
    pub direction: Option<Direction>,
    /// As in the packet; of an ICMP error that of the packet it quotes
    pub flow: Flow,
    /// As in `wire`
    pub detail: u16,
    /// Of a SYN that was sent again: which retransmit, if the one before was not seen leaving
    pub unsent: Option<u32>,
}

impl ObservedPacket {
    pub const fn flow_to_server(&self) -> Flow {
        match self.kind {
            PacketKind::Syn | PacketKind::Reset | PacketKind::Unreachable | PacketKind::Continues => self.flow,
            PacketKind::SynAck | PacketKind::Refusal | PacketKind::Stray => self.flow.reversed(),
        }
    }

    /// Whether its SYN left, where the packet's own direction is known.
    pub fn syn_leaves(&self) -> Option<bool> {
        let is_towards_server = matches!(self.kind, PacketKind::Syn | PacketKind::Reset | PacketKind::Continues);
        self.direction.map(|direction| (direction == Direction::Leaving) == is_towards_server)
    }
}

/// Kind and ISN of an attempt; `None` for what shows nothing of one.
#[inline]
pub fn recognise(segment: &TcpSegment) -> Option<(PacketKind, u32)> {
    if segment.icmp != 0 {
        return Some((PacketKind::Unreachable, segment.seq));
    }
    match segment.flags & (TCP_SYN | TCP_ACK | TCP_RST) {
        TCP_SYN => Some((PacketKind::Syn, segment.seq)),
        // The reset of a SYN-ACK that nobody here asked for takes its sequence number from the acknowledgement.
        TCP_RST => Some((PacketKind::Reset, segment.seq.wrapping_sub(1))),
        flags if flags == TCP_SYN | TCP_ACK => Some((PacketKind::SynAck, segment.ack.wrapping_sub(1))),
        // The reset of a SYN has sequence number 0 and acknowledges it (RFC 9293, 3.10.7.1).
        flags if flags == TCP_RST | TCP_ACK && segment.seq == 0 => {
            Some((PacketKind::Refusal, segment.ack.wrapping_sub(1)))
        }
        _ => None,
    }
}
