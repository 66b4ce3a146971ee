//! `wire`: a SYN, SYN-ACK or RST as it really passes an interface, after NAT, or an ICMP error about a SYN.

use bytemuck::{Pod, Zeroable};

use super::Stamp;
use crate::Flow;

/// A SYN without ACK.
pub const WIRE_SYN: u8 = 1;
/// A SYN with ACK. With [`WIRE_EGRESS`], one that has arrived by an uplink and leaves by an uplink again.
pub const WIRE_SYN_ACK: u8 = 2;
/// An RST that can answer a SYN (sequence number 0, RFC 9293 3.10.7.1) or a SYN-ACK (without ACK).
pub const WIRE_RST: u8 = 3;
/// An ICMP error that quotes a SYN: destination unreachable, packet too big or time exceeded.
pub const WIRE_UNREACHABLE: u8 = 4;

/// A segment that arrived on the translated tuple of a SYN that was retransmitted and that does not acknowledge it: a bare ACK
/// (a challenge ACK, RFC 5961 section 4), a SYN-ACK for another ISN, an RST without ACK or for another ISN, a SYN without ACK (simultaneous
/// open). With [`WIRE_EGRESS`], a segment of its client that follows the SYN, though no answer was seen: one came by another interface.
pub const WIRE_STRAY: u8 = 5;

/// Bit of `detail` of a SYN that leaves: its socket still holds it and has the packet's addresses and ports, so NAT left it alone.
pub const WIRE_OWN: u16 = 1;
/// Bit of `detail` of a SYN: it asks for ECN (ECE and CWR, RFC 3168 section 6.1.1).
pub const WIRE_ECN: u16 = 2;
/// Bit of `detail` of a SYN: it carries data.
pub const WIRE_DATA: u16 = 4;
/// Bit of `detail` of a SYN: it has a TCP Fast Open option (RFC 7413).
pub const WIRE_FAST_OPEN: u16 = 8;
/// Bit of `detail` of a SYN: it has an MPTCP option (RFC 8684).
pub const WIRE_MPTCP: u16 = 16;

/// Shift of the upper byte of `detail` of a SYN that leaves, which is its [`packet_class`]; 0 where unknown.
pub const WIRE_CLASS_SHIFT: u32 = 8;

/// What else than addresses and ports a network may treat a SYN by, as a hash that is never 0: its destination MAC address (the next hop; zero
/// where the link has none), DSCP (RFC 2474), TTL or hop limit, and the shape of its TCP header. In its place in `detail`. `ip` is the beginning of the IP header.
#[inline(always)]
pub const fn packet_class(next_hop: [u8; 6], ip: [u8; 10], shape: u64) -> u16 {
    // Multiplicative hashing: 2^64 divided by the golden ratio (Knuth, volume 3, 6.4).
    const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;
    let (dscp, hops) = match ip[0] >> 4 {
        4 => (ip[1] >> 2, ip[8]),
        6 => ((ip[0] << 4 | ip[1] >> 4) >> 2, ip[7]),
        _ => (0, 0),
    };
    let [a, b, c, d, e, f] = next_hop;
    let way = u64::from_be_bytes([a, b, c, d, e, f, dscp, hops]).wrapping_mul(FACTOR);
    let class = ((way.rotate_left(32) ^ shape).wrapping_mul(FACTOR) >> 56) as u16;
    (if class == 0 { 1 } else { class }) << WIRE_CLASS_SHIFT
}

/// The length of a SYN's TCP header, its flags (ECE and CWR ask for ECN, with AE for accurate ECN, RFC 9768), its window, its maximum segment
/// size, which is its first option, and what kind of option follows. Sequence numbers and timestamps have no part in it. `header` is the
/// beginning of the TCP header, `options` the two words that follow its 20 bytes.
#[inline(always)]
pub const fn syn_shape(header: [u8; 16], options: [[u8; 4]; 2]) -> u64 {
    let [[_, _, segment_high, segment_low], [next, ..]] = if options[0][0] == 2 { options } else { [[0; 4]; 2] };
    let [.., length, flags, window_high, window_low] = header;
    u64::from_be_bytes([0, next, length, flags, window_high, window_low, segment_high, segment_low])
}

/// Bit of `detail` of a SYN-ACK or RST that arrives: its MAC address is another host's (`PACKET_OTHERHOST`), so this node does not accept
/// it. Not set where the interface hands packets on, as a port of a bridge or the parent of a macvlan does.
pub const WIRE_OTHER_HOST: u16 = 1;

/// The packet arrived.
pub const WIRE_INGRESS: u8 = 0;
/// The packet left.
pub const WIRE_EGRESS: u8 = 1;

/// A packet seen by TC.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Wire {
    /// Time; namespace of the interface, filled in by user space where the program did not read it.
    pub stamp: Stamp,
    /// As in the packet: the source of a SYN-ACK is the server. Of an ICMP error that of the packet it quotes.
    pub flow: Flow,
    /// ISN of the attempt: sequence number of a SYN, acknowledgement number less one of an answer; of a stray segment that of its SYN
    pub isn: u32,
    /// Index of the interface
    pub ifindex: u32,
    /// `WIRE_SYN`, `WIRE_SYN_ACK`, `WIRE_RST`, `WIRE_UNREACHABLE` or `WIRE_STRAY`
    pub packet: u8,
    /// `WIRE_INGRESS` or `WIRE_EGRESS`
    pub direction: u8,
    /// Of an ICMP error its type times 256 and its code; of a SYN and of an answer the bits above, and the class of a SYN; of a stray segment its TCP flags; else zero.
    pub detail: u16,
}

const _: () = assert!(size_of::<Wire>() == 64);
