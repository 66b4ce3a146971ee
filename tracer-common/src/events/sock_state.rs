//! `sock_state`: a connecting socket of this kernel left `SYN_SENT`.

use bytemuck::{Pod, Zeroable};

use super::Stamp;
use crate::Flow;

/// `TCP_ESTABLISHED` (net/tcp_states.h)
pub const TCP_ESTABLISHED: u8 = 1;
/// `TCP_SYN_SENT`
pub const TCP_SYN_SENT: u8 = 2;
/// `TCP_CLOSE`
pub const TCP_CLOSE: u8 = 7;

/// Tracepoint `inet_sock_set_state` with `SYN_SENT` as the old state.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct SockState {
    /// Time; namespace of the socket.
    pub stamp: Stamp,
    /// The socket's own addresses: the original tuple.
    pub flow: Flow,
    /// From `tcp_sock.snd_una`, which is the ISN, or one more once the SYN was acknowledged
    pub isn: u32,
    /// Positive errno from `sock.sk_err`, such as `ETIMEDOUT`; 0 when the application gave up
    pub err: u32,
    /// [`TCP_ESTABLISHED`], [`TCP_CLOSE`] or another state
    pub new_state: u8,
    /// `tcp_sock.total_retrans`, at most 255: the number of SYN retransmissions, those whose own event is missing included
    pub retransmits: u8,
    /// Zero.
    pub unused: [u8; 2],
}

const _: () = assert!(size_of::<SockState>() == 64);
