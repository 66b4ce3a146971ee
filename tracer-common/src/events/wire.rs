//! `wire`: a SYN, SYN-ACK or RST as it really passes an interface, after NAT, or an ICMP error about a SYN.

use bytemuck::{Pod, Zeroable};

use super::Stamp;
use crate::Flow;

/// A SYN without ACK.
pub const WIRE_SYN: u8 = 1;
/// A SYN with ACK.
pub const WIRE_SYN_ACK: u8 = 2;
/// An RST that can answer a SYN (sequence number 0, RFC 9293 3.10.7.1) or a SYN-ACK (without ACK).
pub const WIRE_RST: u8 = 3;
/// An ICMP error that quotes a SYN: destination unreachable, packet too big or time exceeded.
pub const WIRE_UNREACHABLE: u8 = 4;

/// In `detail` of a SYN that leaves: its socket still holds it and has the packet's addresses and ports, so NAT left it alone.
pub const WIRE_OWN: u16 = 1;

/// The packet arrived.
pub const WIRE_INGRESS: u8 = 0;
/// The packet left.
pub const WIRE_EGRESS: u8 = 1;

/// A packet seen by TC.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Wire {
    /// Time; namespace of the interface, filled in by user space.
    pub stamp: Stamp,
    /// As in the packet: the source of a SYN-ACK is the server. Of an ICMP error that of the packet it quotes.
    pub flow: Flow,
    /// ISN of the attempt: the sequence number of a SYN, the acknowledgement number less one of an answer
    pub isn: u32,
    /// Index of the interface
    pub ifindex: u32,
    /// `WIRE_SYN`, `WIRE_SYN_ACK`, `WIRE_RST` or `WIRE_UNREACHABLE`
    pub packet: u8,
    /// `WIRE_INGRESS` or `WIRE_EGRESS`
    pub direction: u8,
    /// Of an ICMP error its type times 256 and its code; of a SYN that leaves zero or `WIRE_OWN`; else zero.
    pub detail: u16,
}

const _: () = assert!(size_of::<Wire>() == 64);
