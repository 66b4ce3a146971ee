//! Reads `struct sk_buff`.

use super::globals::{SKB_HEAD, SKB_TCP_SEQ, SKB_TRANSPORT_HEADER};
use super::{Address, conntrack::Conn};

/// Bit of the flags byte of a TCP header.
const TCP_SYN: u8 = 0x02;
/// Bytes from the start of a TCP header (RFC 9293, 3.1).
const TCP_SEQ: u32 = 4;
const TCP_FLAGS: u32 = 13;

/// A packet.
#[derive(Clone, Copy)]
pub struct Skb(Address);

impl Skb {
    /// The packet that a function got as its argument.
    #[inline(always)]
    pub fn new<T>(pointer: *const T) -> Self {
        Self(Address::new(pointer))
    }

    /// Its conntrack entry.
    #[inline(always)]
    pub fn conn(self) -> Option<Conn> {
        Conn::of_skb(self.0)
    }

    /// Sequence number of a packet that TCP has queued but that has no header yet, from `TCP_SKB_CB(skb)->seq`.
    #[inline(always)]
    pub fn queued_seq(self) -> Option<u32> {
        self.0.read(SKB_TCP_SEQ.load())
    }

    /// Sequence number from the TCP header, if it is that of a SYN.
    #[inline(always)]
    pub fn syn_seq(self) -> Option<u32> {
        let head = self.0.follow(SKB_HEAD.load())?;
        let tcp = u32::from(self.0.read::<u16>(SKB_TRANSPORT_HEADER.load())?);
        let flags: u8 = head.read(tcp + TCP_FLAGS)?;
        if flags & TCP_SYN == 0 {
            return None;
        }
        head.read(tcp + TCP_SEQ).map(u32::from_be)
    }
}
