//! Reads `struct sk_buff`.

use tracer_common::Flow;
use tracer_common::events::{NO_ENTRY, packet_class, syn_shape};

use super::globals::{
    DEV_IFINDEX, DEV_NET, DEV_RX_HANDLER, NET_INUM, SK_NET, SKB_DEV, SKB_HEAD, SKB_IIF, SKB_NETWORK_HEADER, SKB_NFCT,
    SKB_PKT_TYPE, SKB_SK, SKB_TCP_SEQ, SKB_TRANSPORT_HEADER,
};
use super::{
    Address, IPPROTO_TCP,
    conntrack::{Conn, Room},
};
use crate::address::mapped;
use crate::extensions;
use crate::options::TCP_HEADER;

/// Bit of the flags byte of a TCP header.
const TCP_SYN: u8 = 0x02;
/// Byte of a TCP header that has the flags (RFC 9293, 3.1).
const TCP_FLAGS: u32 = 13;
/// `PACKET_OTHERHOST` (linux/if_packet.h, UAPI): a switch sent the packet to everybody
const OTHERHOST: u8 = 3;
/// `PACKET_OUTGOING`: the copy of a packet that leaves, made for a packet socket (`dev_queue_xmit_nit()`)
const OUTGOING: u8 = 4;

/// Where the headers of a TCP packet are. They are read when they are needed: the stack is small.
#[derive(Clone, Copy)]
pub struct Header {
    head: Address,
    ip: u32,
    tcp: u32,
    is_ipv4: bool,
    /// The flags byte of the TCP header.
    pub flags: u8,
}

impl Header {
    /// Addresses and ports as they are in the packet.
    #[inline(always)]
    pub fn flow(&self, flow: &mut Flow) -> Option<()> {
        (flow.src, flow.dst) = if self.is_ipv4 {
            (mapped(self.head.peek(self.ip + 12)?), mapped(self.head.peek(self.ip + 16)?))
        } else {
            (self.ipv6(8)?, self.ipv6(24)?)
        };
        flow.src_port = u16::from_be(self.head.peek(self.tcp)?);
        flow.dst_port = u16::from_be(self.head.peek(self.tcp + 2)?);
        Some(())
    }

    #[inline(always)]
    fn ipv6(&self, offset: u32) -> Option<[u8; 16]> {
        self.head.peek::<[u32; 4]>(self.ip + offset).map(bytemuck::cast)
    }

    /// Sequence number.
    #[inline(always)]
    pub fn seq(&self) -> Option<u32> {
        self.head.peek(self.tcp + 4).map(u32::from_be)
    }

    /// Acknowledgement number.
    #[inline(always)]
    pub fn ack(&self) -> Option<u32> {
        self.head.peek(self.tcp + 8).map(u32::from_be)
    }

    /// Destination address.
    #[inline(always)]
    pub fn dst(&self) -> Option<[u8; 16]> {
        if self.is_ipv4 { Some(mapped(self.head.peek(self.ip + 16)?)) } else { self.ipv6(24) }
    }

    /// Bytes of the TCP header.
    #[inline(always)]
    pub fn tcp_len(&self) -> Option<u32> {
        Some(u32::from(self.head.peek::<u8>(self.tcp + 12)? >> 4) * 4)
    }

    /// Whether data follows the TCP header.
    #[inline(always)]
    pub fn has_data(&self) -> bool {
        let Some(len) = self.head.peek::<u16>(self.ip + if self.is_ipv4 { 2 } else { 4 }) else { return false };
        let len = u32::from(u16::from_be(len)) + if self.is_ipv4 { 0 } else { 40 };
        self.tcp_len().is_some_and(|tcp_len| len > self.tcp - self.ip + tcp_len)
    }

    /// The class of a SYN that leaves, in its place in `detail`; its next hop is not read.
    #[inline(always)]
    pub fn class(&self) -> u16 {
        let (Some(ip), Some(header)) = (self.head.peek(self.ip), self.head.peek(self.tcp)) else { return 0 };
        packet_class([0; 6], ip, syn_shape(header, [0, 4].map(|at| self.option_word(at).unwrap_or_default())))
    }

    /// Four bytes of the TCP options, from there on.
    #[inline(always)]
    pub fn option_word(&self, at: u32) -> Option<[u8; 4]> {
        self.head.peek::<u32>(self.tcp + TCP_HEADER + at).map(u32::to_ne_bytes)
    }
}

/// The device of a packet.
#[derive(Clone, Copy)]
pub struct Device(Address);

impl Device {
    /// `dev->ifindex`
    #[inline(always)]
    pub fn ifindex(self) -> Option<u32> {
        self.0.peek(DEV_IFINDEX.load())
    }

    /// Inode number of its namespace. TCP keeps other things where packets have their device.
    #[inline(always)]
    pub fn netns(self) -> Option<u32> {
        let net: u64 = self.0.peek(DEV_NET.load())?;
        Address(net).peek(NET_INUM.load())
    }

    /// Whether it is known to hand packets to nobody else, as a port of a bridge or the parent of a macvlan does.
    #[inline(always)]
    pub fn keeps_packets(self) -> bool {
        let offset = DEV_RX_HANDLER.load();
        offset != u32::MAX && self.0.peek::<u64>(offset) == Some(0)
    }
}

/// A packet.
#[derive(Clone, Copy)]
pub struct Skb(Address);

impl Skb {
    /// The packet that a function got as its argument.
    #[inline(always)]
    pub fn new<T>(pointer: *const T) -> Self {
        Self(Address::new(pointer))
    }

    /// Its conntrack entry.
    #[inline(always)]
    pub fn conn(self, room: &mut Room) -> Option<Conn<'_>> {
        Conn::of_skb(self.0, room)
    }

    /// Sequence number of a packet that TCP has queued but that has no header yet, from `TCP_SKB_CB(skb)->seq`.
    #[inline(always)]
    pub fn queued_seq(self) -> Option<u32> {
        self.0.read(SKB_TCP_SEQ.load())
    }

    /// Sequence number from the TCP header, if it is that of a SYN.
    #[inline(always)]
    pub fn syn_seq(self) -> Option<u32> {
        let head = self.0.follow(SKB_HEAD.load())?;
        let tcp = u32::from(self.0.read::<u16>(SKB_TRANSPORT_HEADER.load())?);
        let [_ports, seq_be, _ack, flags]: [u32; 4] = head.read(tcp)?;
        (flags.to_ne_bytes()[1] & TCP_SYN != 0).then(|| u32::from_be(seq_be))
    }

    /// Index of the interface that received it; 0 where none did.
    #[inline(always)]
    pub fn received_by(self) -> Option<u32> {
        self.0.peek(SKB_IIF.load())
    }

    /// Inode number of the namespace of its socket, if it has one.
    #[inline(always)]
    pub fn socket_netns(self) -> Option<u32> {
        let socket: u64 = self.0.peek(SKB_SK.load())?;
        if socket == 0 {
            return None;
        }
        let net: u64 = Address(socket).peek(SK_NET.load())?;
        Address(net).peek(NET_INUM.load())
    }

    /// Its device, if it has one.
    #[inline(always)]
    pub fn device(self) -> Option<Device> {
        let device: u64 = self.0.peek(SKB_DEV.load())?;
        (device != 0).then_some(Device(Address(device)))
    }

    /// `enum ip_conntrack_info`, or that there is none.
    #[inline(always)]
    pub fn ctinfo(self) -> Option<u8> {
        let nfct: u64 = self.0.read(SKB_NFCT.load())?;
        Some(if nfct == 0 { NO_ENTRY } else { (nfct & 7) as u8 })
    }

    /// Whether the packet was for another host, or the copy that a packet socket gets, so that dropping it says nothing. The parent of a
    /// macvlan and a port of a bridge get answers for interfaces above them as if these were other hosts.
    #[inline(always)]
    pub fn is_aside(self, is_answer: bool) -> bool {
        let offset = SKB_PKT_TYPE.load();
        if offset == u32::MAX {
            return false;
        }
        match self.0.peek::<u8>(offset).map(|bits| bits & 7) {
            Some(OUTGOING) => true,
            Some(OTHERHOST) => !is_answer || self.device().is_none_or(Device::keeps_packets),
            Some(_) | None => false,
        }
    }

    /// The headers if it is TCP with one of these flags, found by the IP header: a packet dropped early has no other offset yet.
    #[inline(always)]
    pub fn tcp(self, wanted: u8) -> Option<Header> {
        let head = Address(self.0.peek(SKB_HEAD.load())?);
        let ip = u32::from(self.0.peek::<u16>(SKB_NETWORK_HEADER.load())?);
        let version_ihl: u8 = head.peek(ip)?;
        let (is_ipv4, protocol, length) = match version_ihl >> 4 {
            4 => (true, 9, u32::from(version_ihl & 0x0f) * 4),
            6 => (false, 6, 40),
            _ => return None,
        };
        // Only the first fragment has the TCP header.
        if is_ipv4 && u16::from_be(head.peek(ip + 6)?) & 0x1fff != 0 {
            return None;
        }
        let tcp = match head.peek::<u8>(ip + protocol)? {
            IPPROTO_TCP => ip + length,
            next if !is_ipv4 => extensions::skip(next, ip + length, |at| head.peek::<u16>(at).map(u16::to_ne_bytes))?,
            _ => return None,
        };
        let flags: u8 = head.peek(tcp + TCP_FLAGS)?;
        (flags & wanted != 0).then_some(Header { head, ip, tcp, is_ipv4, flags })
    }
}
