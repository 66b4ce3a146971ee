//! Reads `struct nf_conn` and `struct nf_nat_range2`.

use bytemuck::{Pod, Zeroable};
use tracer_common::Flow;

use super::globals::{CT_NET, CT_ORIGINAL, CT_REPLY, CT_STATUS, CT_ZONE, SKB_NFCT};
use super::{AF_INET, AF_INET6, Address, IPPROTO_TCP, mapped, netns_inum};

/// `NFCT_PTRMASK`: the low bits of `skb->_nfct` hold the state of the packet.
const NFCT_PTRMASK: u64 = !7;

/// `struct nf_conntrack_tuple`; user space checks the layout against the kernel's BTF.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Tuple {
    src: [u8; 16],
    src_port_be: u16,
    l3num: u16,
    dst: [u8; 16],
    dst_port_be: u16,
    protonum: u8,
    dir: u8,
}

/// `struct nf_nat_range2` (linux/netfilter/nf_nat.h, UAPI).
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub struct Range {
    /// `NF_NAT_RANGE_*`
    pub flags: u32,
    min_addr: [u8; 16],
    max_addr: [u8; 16],
    min_proto_be: u16,
    max_proto_be: u16,
    base_proto_be: u16,
    unused: u16,
}

impl Range {
    /// `min_proto`, host byte order.
    #[inline(always)]
    pub fn min_port(&self) -> u16 {
        u16::from_be(self.min_proto_be)
    }

    /// `max_proto`, host byte order.
    #[inline(always)]
    pub fn max_port(&self) -> u16 {
        u16::from_be(self.max_proto_be)
    }
}

/// A conntrack entry.
#[derive(Clone, Copy)]
pub struct Conn(Address);

impl Conn {
    /// The entry that a function got as its argument.
    #[inline(always)]
    pub fn new<T>(pointer: *const T) -> Self {
        Self(Address::new(pointer))
    }

    /// The entry of a packet.
    #[inline(always)]
    pub fn of_skb(skb: Address) -> Option<Self> {
        let nfct: u64 = skb.read(SKB_NFCT.load())?;
        let pointer = nfct & NFCT_PTRMASK;
        (pointer != 0).then_some(Self(Address(pointer)))
    }

    /// `ct->status`; the bits in use fit 32.
    #[inline(always)]
    pub fn status(self) -> Option<u32> {
        self.0.read::<u64>(CT_STATUS.load()).map(|status| status as u32)
    }

    /// `ct->zone.id`
    #[inline(always)]
    pub fn zone(self) -> Option<u16> {
        let offset = CT_ZONE.load();
        if offset == u32::MAX { Some(0) } else { self.0.read(offset) }
    }

    /// Inode number of the namespace of the entry.
    #[inline(always)]
    pub fn netns(self) -> Option<u32> {
        netns_inum(self.0, CT_NET.load())
    }

    /// The original tuple, if it is TCP over IP.
    #[inline(always)]
    pub fn original(self) -> Option<Flow> {
        tcp_flow(&self.0.read(CT_ORIGINAL.load())?)
    }

    /// The tuple as it leaves: the one that answers are expected with, reversed.
    #[inline(always)]
    pub fn translated(self) -> Option<Flow> {
        let reply = tcp_flow(&self.0.read(CT_REPLY.load())?)?;
        Some(reply.reversed())
    }

    /// Whether a range with only addresses asks for no translation at all: a null binding maps the source to itself.
    #[inline(always)]
    pub fn is_null_binding(self, range: &Range) -> Option<bool> {
        let reply: Tuple = self.0.read(CT_REPLY.load())?;
        Some(range.flags == tracer_common::events::RANGE_MAP_IPS && range.min_addr == reply.dst)
    }
}

/// Reads the range that a function got as its argument.
#[inline(always)]
pub fn range<T>(pointer: *const T) -> Option<Range> {
    Address::new(pointer).read(0)
}

#[inline(always)]
fn tcp_flow(tuple: &Tuple) -> Option<Flow> {
    if tuple.protonum != IPPROTO_TCP {
        return None;
    }
    let (src, dst) = match tuple.l3num {
        AF_INET => (mapped(first4(&tuple.src)), mapped(first4(&tuple.dst))),
        AF_INET6 => (tuple.src, tuple.dst),
        _ => return None,
    };
    Some(Flow { src, dst, src_port: u16::from_be(tuple.src_port_be), dst_port: u16::from_be(tuple.dst_port_be) })
}

#[inline(always)]
fn first4(addr: &[u8; 16]) -> [u8; 4] {
    [addr[0], addr[1], addr[2], addr[3]]
}
