//! Reads `struct tcp_sock` and what it begins with: `struct inet_sock`, `struct sock`, `struct sock_common`.

use aya_ebpf::helpers::generated::bpf_skc_to_tcp_sock;
use tracer_common::Flow;

use super::globals::{
    FILE_INODE, INODE_NUMBER, NET_INUM, SK_DADDR, SK_DPORT, SK_ERR, SK_FAMILY, SK_NET, SK_RCV_SADDR, SK_SOCKET,
    SK_SPORT, SK_STATE, SK_V6_DADDR, SK_V6_RCV_SADDR, SOCKET_FILE, TP_SND_UNA, TP_TOTAL_RETRANS,
};
use super::{AF_INET, AF_INET6, Typed};
use crate::address::mapped;

/// A TCP socket.
#[derive(Clone, Copy)]
pub struct Sock(Typed);

impl Sock {
    /// The socket that a BTF-enabled tracepoint got as its argument, if it is of TCP; an MPTCP socket is not, its subflows are.
    #[inline(always)]
    pub fn new(pointer: *const u8) -> Option<Self> {
        // SAFETY: the helper checks what kind of socket it is; the verifier lets only typed pointers through.
        let tcp = unsafe { bpf_skc_to_tcp_sock(pointer.cast_mut().cast()) };
        (!tcp.is_null()).then(|| Self(Typed::new(tcp)))
    }

    /// `skc_state`
    #[inline(always)]
    pub fn state(self) -> u8 {
        self.0.load(SK_STATE.load())
    }

    /// Its own address and the one it connects to.
    #[inline(always)]
    pub fn flow(self) -> Option<Flow> {
        let (src, dst) = match self.0.load(SK_FAMILY.load()) {
            AF_INET => (self.ipv4(SK_RCV_SADDR.load()), self.ipv4(SK_DADDR.load())),
            AF_INET6 => (self.ipv6(SK_V6_RCV_SADDR.load()), self.ipv6(SK_V6_DADDR.load())),
            _ => return None,
        };
        let src_port = u16::from_be(self.0.load(SK_SPORT.load()));
        let dst_port = u16::from_be(self.0.load(SK_DPORT.load()));
        Some(Flow { src, dst, src_port, dst_port })
    }

    #[inline(always)]
    fn ipv4(self, offset: u32) -> [u8; 16] {
        mapped(self.0.load(offset))
    }

    #[inline(always)]
    fn ipv6(self, offset: u32) -> [u8; 16] {
        let word = |index: u32| self.0.load::<u32>(offset + 4 * index);
        bytemuck::cast([word(0), word(1), word(2), word(3)])
    }

    /// Inode number of its namespace.
    #[inline(always)]
    pub fn netns(self) -> u32 {
        self.0.follow(SK_NET.load()).load(NET_INUM.load())
    }

    /// Inode number of its file, which fits into 32 bits (`get_next_ino`); `None` where no file is left.
    #[inline(always)]
    pub fn inode(self) -> Option<u32> {
        if SK_SOCKET.load() == u32::MAX {
            return None;
        }
        let inode = self.0.follow(SK_SOCKET.load()).follow(SOCKET_FILE.load()).follow(FILE_INODE.load());
        let number: u64 = inode.load(INODE_NUMBER.load());
        (number != 0).then_some(number as u32)
    }

    /// `sk_err`, a positive errno.
    #[inline(always)]
    pub fn err(self) -> u32 {
        self.0.load(SK_ERR.load())
    }

    /// `snd_una`: the ISN until the SYN is acknowledged.
    #[inline(always)]
    pub fn snd_una(self) -> u32 {
        self.0.load(TP_SND_UNA.load())
    }

    /// `total_retrans`
    #[inline(always)]
    pub fn total_retrans(self) -> u32 {
        self.0.load(TP_TOTAL_RETRANS.load())
    }
}
