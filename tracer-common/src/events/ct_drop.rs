//! `ct_drop`: a SYN or a SYN-ACK was dropped on this node.

use bytemuck::{Pod, Zeroable};

use super::Stamp;
use crate::Flow;

/// `IPS_CONFIRMED`: the entry is in the table
pub const STATUS_CONFIRMED: u32 = 1 << 3;
/// `IPS_SRC_NAT_DONE`: NAT has chosen the source
pub const STATUS_SRC_NAT_DONE: u32 = 1 << 7;

/// The packet has no conntrack entry.
pub const NO_ENTRY: u8 = 0xff;
/// `IP_CT_UNTRACKED`: a rule keeps the packet from being tracked
pub const UNTRACKED: u8 = 7;

/// The packet was freed in `nf_hook_slow()`, which does so when a hook says `NF_DROP`.
pub const DROP_AT_HOOK: u8 = 1;
/// The packet was freed somewhere else. 0 where it is not known where `nf_hook_slow()` is.
pub const DROP_ELSEWHERE: u8 = 2;

/// Tracepoint `kfree_skb` for a TCP packet with SYN.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct CtDrop {
    /// Time; namespace of `skb->dev`, else of the entry; 0 where neither is known.
    pub stamp: Stamp,
    /// As in the packet when it was dropped: before or after NAT; the source of a SYN-ACK is the server.
    pub flow: Flow,
    /// From `ct->tuplehash[ORIGINAL].tuple`; zero without an entry, and in traces before 1.4
    pub original: Flow,
    /// ISN of the attempt, as in `wire`
    pub isn: u32,
    /// `enum skb_drop_reason`, numbered as this kernel does; 0 where the kernel gives no reason
    pub reason: u32,
    /// From `ct->status`; 0 without an entry
    pub status: u32,
    /// From `skb->dev->ifindex`; 0 without a device
    pub ifindex: u32,
    /// `WIRE_SYN` or `WIRE_SYN_ACK`
    pub packet: u8,
    /// `enum ip_conntrack_info` from `skb->_nfct`, or [`NO_ENTRY`]
    pub ctinfo: u8,
    /// [`DROP_AT_HOOK`], [`DROP_ELSEWHERE`] or 0
    pub place: u8,
    /// Zero.
    pub unused: [u8; 5],
}

const _: () = assert!(size_of::<CtDrop>() == 112);
