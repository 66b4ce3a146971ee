//! `nat_bind`: what NAT chose, once per new connection.

use bytemuck::{Pod, Zeroable};

use super::Stamp;
use crate::Flow;

/// `IPS_SRC_NAT`: the source was translated
pub const STATUS_SRC_NAT: u32 = 1 << 4;
/// `IPS_DST_NAT`: the destination was translated
pub const STATUS_DST_NAT: u32 = 1 << 5;
/// Bit of `range_flags`: the range is known. The kernel's own flags are the lowest ones.
pub const RANGE_KNOWN: u16 = 1 << 15;

/// Entry of `__nf_conntrack_confirm()` for a TCP SYN whose source was translated, before the table is changed: a lost race for the
/// tuple drops the SYN after this event, and the retransmitted SYN makes a second one.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct NatBind {
    /// Time; namespace of the NAT, from `ct->ct_net`.
    pub stamp: Stamp,
    /// From `ct->tuplehash[ORIGINAL].tuple`
    pub original: Flow,
    /// From `ct->tuplehash[REPLY].tuple`, reversed: the tuple as it leaves
    pub translated: Flow,
    /// Initial sequence number of the SYN, from its TCP header; NAT does not change it
    pub isn: u32,
    /// From `ct->status`: `STATUS_*`
    pub status: u32,
    /// From `ct->zone.id`
    pub zone: u16,
    /// [`RANGE_KNOWN`] and the lower bits of `flags` of the `nat_select` before this binding; else zero, and that may come as an event
    pub range_flags: u16,
    /// Its `min_port`
    pub min_port: u16,
    /// Its `max_port`
    pub max_port: u16,
}

const _: () = assert!(size_of::<NatBind>() == 104);
