//! `syn_retransmit`: a socket of this kernel, in any namespace, sent its SYN again.

use bytemuck::{Pod, Zeroable};

use super::Stamp;
use crate::Flow;

/// Tracepoint `tcp_retransmit_skb` of a socket in `SYN_SENT`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct SynRetransmit {
    /// Time; namespace of the socket.
    pub stamp: Stamp,
    /// The socket's own addresses: the original tuple.
    pub flow: Flow,
    /// From `TCP_SKB_CB(skb)->seq`
    pub isn: u32,
    /// From `tcp_sock.total_retrans`: 1 for the first retransmit
    pub ordinal: u32,
    /// 0, or the negative errno with which sending failed on this node (kernels from 6.17)
    pub err: i32,
}

const _: () = assert!(size_of::<SynRetransmit>() == 64);
