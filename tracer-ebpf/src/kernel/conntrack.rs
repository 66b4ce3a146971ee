//! Reads `struct nf_conn` and `struct nf_nat_range2`.

use core::mem::MaybeUninit;

use bytemuck::{Pod, Zeroable};
use tracer_common::Flow;
use tracer_common::config::CT_WINDOW;

use super::globals::{CT_BASE, CT_NET, CT_ORIGINAL, CT_REPLY, CT_STATUS, CT_ZONE, NET_INUM, SKB_NFCT};
use super::{AF_INET, AF_INET6, Address, IPPROTO_TCP};
use crate::address::mapped;

/// `NFCT_PTRMASK`: the low bits of `skb->_nfct` hold the state of the packet.
const NFCT_PTRMASK: u64 = !7;

/// `struct nf_conntrack_tuple`; user space checks the layout against the kernel's BTF.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Tuple {
    src: [u32; 4],
    src_port_be: u16,
    l3num: u16,
    dst: [u32; 4],
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
    min_addr: [u32; 4],
    max_addr: [u32; 4],
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

/// The part of `struct nf_conn` that everything of interest lies in: one read costs less than five.
pub type Window = [u64; CT_WINDOW / 8];

/// Room for a conntrack entry.
#[repr(transparent)]
pub struct Room(MaybeUninit<Window>);

impl Room {
    /// Room for one.
    #[inline(always)]
    pub const fn new() -> Self {
        Self(MaybeUninit::uninit())
    }

    /// Room in memory of another kind than the stack.
    #[inline(always)]
    pub fn of(memory: &mut Window) -> &mut Self {
        // SAFETY: it is the same in memory, and only ever written whole.
        unsafe { &mut *(&raw mut *memory).cast() }
    }
}

/// A conntrack entry, as far as it was read.
#[derive(Clone, Copy)]
pub struct Conn<'a> {
    address: Address,
    window: &'a Window,
}

impl<'a> Conn<'a> {
    /// The entry that a function got as its argument.
    #[inline(always)]
    pub fn new<T>(pointer: *const T, room: &'a mut Room) -> Option<Self> {
        Self::at_address(Address::new(pointer), room)
    }

    /// The entry of a packet.
    #[inline(always)]
    pub fn of_skb(skb: Address, room: &'a mut Room) -> Option<Self> {
        let nfct: u64 = skb.read(SKB_NFCT.load())?;
        let pointer = nfct & NFCT_PTRMASK;
        if pointer == 0 {
            return None;
        }
        Self::at_address(Address(pointer), room)
    }

    #[inline(always)]
    fn at_address(address: Address, room: &'a mut Room) -> Option<Self> {
        let window = address.copy(CT_BASE.load(), &mut room.0)?;
        Some(Self { address, window })
    }

    /// Which entry it is, as long as it lives.
    #[inline(always)]
    pub fn id(self) -> u64 {
        self.address.0
    }

    /// `ct->status`; the bits in use fit 32.
    #[inline(always)]
    pub fn status(self) -> u32 {
        *self.at::<u64>(CT_STATUS.load()) as u32
    }

    /// `ct->zone.id`
    #[inline(always)]
    pub fn zone(self) -> u16 {
        let offset = CT_ZONE.load();
        if offset == u32::MAX { 0 } else { *self.at(offset) }
    }

    /// Inode number of the namespace of the entry.
    #[inline(always)]
    pub fn netns(self) -> Option<u32> {
        Address(*self.at(CT_NET.load())).read(NET_INUM.load())
    }

    /// The original tuple, if it is TCP over IP.
    #[inline(always)]
    pub fn original(self) -> Option<Flow> {
        tcp_flow(self.at(CT_ORIGINAL.load()))
    }

    /// The tuple as it leaves: the one that answers are expected with, reversed.
    #[inline(always)]
    pub fn translated(self) -> Option<Flow> {
        let reply = tcp_flow(self.at(CT_REPLY.load()))?;
        Some(reply.reversed())
    }

    /// Whether a range with only addresses asks for no translation at all: a null binding maps the source to itself.
    #[inline(always)]
    pub fn is_null_binding(self, range: &Range) -> bool {
        range.flags == tracer_common::events::RANGE_MAP_IPS && range.min_addr == self.at::<Tuple>(CT_REPLY.load()).dst
    }

    /// What lies `offset` bytes from the beginning of the window.
    #[inline(always)]
    fn at<T: Pod>(self, offset: u32) -> &'a T {
        // SAFETY: user space has checked that all offsets lie in the window, aligned, and so does the verifier; any bytes
        // are a valid `T: Pod`.
        unsafe { &*self.window.as_ptr().cast::<u8>().add(offset as usize).cast() }
    }
}

/// Reads the range that a function got as its argument.
#[inline(always)]
pub fn range<T>(pointer: *const T, room: &mut MaybeUninit<Range>) -> Option<&Range> {
    Address::new(pointer).copy(0, room)
}

#[inline(always)]
fn tcp_flow(tuple: &Tuple) -> Option<Flow> {
    if tuple.protonum != IPPROTO_TCP {
        return None;
    }
    let (src, dst) = match tuple.l3num {
        AF_INET => (mapped(tuple.src[0]), mapped(tuple.dst[0])),
        AF_INET6 => (bytemuck::cast(tuple.src), bytemuck::cast(tuple.dst)),
        _ => return None,
    };
    Some(Flow { src, dst, src_port: u16::from_be(tuple.src_port_be), dst_port: u16::from_be(tuple.dst_port_be) })
}
