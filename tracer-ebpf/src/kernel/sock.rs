//! Reads `struct sock` and `struct tcp_sock`.

use tracer_common::Flow;

use super::globals::{
    SK_DADDR, SK_DPORT, SK_ERR, SK_FAMILY, SK_NET, SK_PROTOCOL, SK_RCV_SADDR, SK_SPORT, SK_STATE, SK_V6_DADDR,
    SK_V6_RCV_SADDR, TP_SND_UNA, TP_TOTAL_RETRANS,
};
use super::{AF_INET, AF_INET6, Address, IPPROTO_TCP, mapped, netns_inum};

/// A socket.
#[derive(Clone, Copy)]
pub struct Sock(Address);

impl Sock {
    /// The socket that a tracepoint got as its argument.
    #[inline(always)]
    pub fn new<T>(pointer: *const T) -> Self {
        Self(Address::new(pointer))
    }

    /// `skc_state`
    #[inline(always)]
    pub fn state(self) -> Option<u8> {
        self.0.read(SK_STATE.load())
    }

    /// Whether it is a TCP socket; an MPTCP socket is not, its subflows are.
    #[inline(always)]
    pub fn is_tcp(self) -> Option<bool> {
        self.0.read::<u16>(SK_PROTOCOL.load()).map(|protocol| protocol == u16::from(IPPROTO_TCP))
    }

    /// Its own address and the one it connects to.
    #[inline(always)]
    pub fn flow(self) -> Option<Flow> {
        let (src, dst) = match self.0.read(SK_FAMILY.load())? {
            AF_INET => (mapped(self.0.read(SK_RCV_SADDR.load())?), mapped(self.0.read(SK_DADDR.load())?)),
            AF_INET6 => (self.0.read(SK_V6_RCV_SADDR.load())?, self.0.read(SK_V6_DADDR.load())?),
            _ => return None,
        };
        let src_port = u16::from_be(self.0.read(SK_SPORT.load())?);
        let dst_port = u16::from_be(self.0.read(SK_DPORT.load())?);
        Some(Flow { src, dst, src_port, dst_port })
    }

    /// Inode number of its namespace.
    #[inline(always)]
    pub fn netns(self) -> Option<u32> {
        netns_inum(self.0, SK_NET.load())
    }

    /// `sk_err`, a positive errno.
    #[inline(always)]
    pub fn err(self) -> Option<u32> {
        self.0.read(SK_ERR.load())
    }

    /// `snd_una`: the ISN until the SYN is acknowledged.
    #[inline(always)]
    pub fn snd_una(self) -> Option<u32> {
        self.0.read(TP_SND_UNA.load())
    }

    /// `total_retrans`
    #[inline(always)]
    pub fn total_retrans(self) -> Option<u32> {
        self.0.read(TP_TOTAL_RETRANS.load())
    }
}
