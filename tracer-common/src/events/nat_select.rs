//! `nat_select`: the range and flags of the rule that NAT is about to choose a source from.

use bytemuck::{Pod, Zeroable};

use super::Stamp;
use crate::Flow;

/// `NF_NAT_RANGE_MAP_IPS` (linux/netfilter/nf_nat.h, UAPI)
pub const RANGE_MAP_IPS: u32 = 1 << 0;
/// `NF_NAT_RANGE_PROTO_SPECIFIED`: `min_port` and `max_port` count
pub const RANGE_PROTO_SPECIFIED: u32 = 1 << 1;
/// `NF_NAT_RANGE_PROTO_RANDOM`: `--random`
pub const RANGE_PROTO_RANDOM: u32 = 1 << 2;
/// `NF_NAT_RANGE_PROTO_RANDOM_FULLY`: `--random-fully`
pub const RANGE_PROTO_RANDOM_FULLY: u32 = 1 << 4;
/// `NF_NAT_RANGE_PROTO_OFFSET`: a port shift
pub const RANGE_PROTO_OFFSET: u32 = 1 << 5;

/// Entry of `nf_nat_setup_info()` for the source side, where no `nat_bind` took these facts along: the SYN was dropped before it was
/// confirmed, or changed its CPU. It is reported when the next selection takes its place, perhaps long after its time.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct NatSelect {
    /// Time; namespace of the NAT, from `ct->ct_net`.
    pub stamp: Stamp,
    /// From `ct->tuplehash[ORIGINAL].tuple`
    pub original: Flow,
    /// From `range->flags`: `RANGE_*`
    pub flags: u32,
    /// From `range->min_proto`, host byte order; counts with [`RANGE_PROTO_SPECIFIED`]
    pub min_port: u16,
    /// From `range->max_proto`, host byte order
    pub max_port: u16,
    /// From `ct->zone.id`
    pub zone: u16,
    /// Zero.
    pub unused: u16,
}

const _: () = assert!(size_of::<NatSelect>() == 64);

/// A selection that waits in the kernel for its binding: the value of the map `SELECTED`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Selected {
    /// Address of the conntrack entry; 0 where none waits.
    pub entry: u64,
    /// What is reported if no binding takes it.
    pub event: NatSelect,
}

const _: () = assert!(size_of::<Selected>() == 72);
