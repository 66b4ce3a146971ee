//! `nat_bind`: what NAT chose, once per new connection.

use bytemuck::{Pod, Zeroable};

use super::Stamp;
use crate::Flow;

/// `IPS_SRC_NAT`: the source was translated
pub const STATUS_SRC_NAT: u32 = 1 << 4;
/// `IPS_DST_NAT`: the destination was translated
pub const STATUS_DST_NAT: u32 = 1 << 5;

/// Entry of `__nf_conntrack_confirm()` for a TCP SYN whose source was translated.
///
/// The entry of the function is before the table is changed: a lost race for the tuple drops the SYN after this event,
/// and the retransmitted SYN makes a second one.
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
    /// Zero.
    pub unused: [u16; 3],
}

const _: () = assert!(size_of::<NatBind>() == 104);
