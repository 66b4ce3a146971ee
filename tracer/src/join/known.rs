//! What is known of an attempt, one bit each.

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Known(u32);

impl Known {
    /// The original tuple.
    pub(super) const ORIGINAL: u32 = 1 << 0;
    /// The translated tuple.
    pub(super) const TRANSLATED: u32 = 1 << 1;
    /// The translated tuple comes from a binding made for an earlier attempt.
    pub(super) const REMEMBERED: u32 = 1 << 2;
    /// The SYN was seen leaving.
    pub(super) const SEEN: u32 = 1 << 3;
    /// The rule's range and flags.
    pub(super) const RANGE: u32 = 1 << 4;
    /// A socket of this kernel makes the attempt.
    pub(super) const SOCKET: u32 = 1 << 5;
    /// The socket tells of its retransmits, so repeats on the wire say nothing new.
    pub(super) const SOCKET_RETRANSMITS: u32 = 1 << 6;
    /// A SYN-ACK arrived.
    pub(super) const SYN_ACK: u32 = 1 << 7;
    /// An RST arrived.
    pub(super) const RST: u32 = 1 << 8;
    /// One of them arrived, at `answered_at`.
    pub(super) const ANSWERED: u32 = 1 << 9;
    /// The newest of them is an RST.
    pub(super) const ANSWER_IS_RST: u32 = 1 << 10;
    /// The newest transmission was told by a binding.
    pub(super) const SENT_BOUND: u32 = 1 << 11;
    /// The newest transmission was told by the wire.
    pub(super) const SENT_SEEN: u32 = 1 << 12;
    /// The original tuple comes from a SYN that was seen arriving; a socket or NAT know better.
    pub(super) const ARRIVED: u32 = 1 << 13;
    /// A SYN was sent again after a SYN-ACK had arrived.
    pub(super) const UNHEARD: u32 = 1 << 14;
    /// An RST left as the answer to a SYN-ACK, while the client waited for one.
    pub(super) const RESET_HERE: u32 = 1 << 15;
    /// A SYN was dropped that had no conntrack entry.
    pub(super) const NO_ENTRY: u32 = 1 << 16;
    /// The translated tuple is what another NAT of this kernel made of an earlier one's.
    pub(super) const CONTINUED: u32 = 1 << 17;
    /// The original tuple has numbers instead of addresses.
    pub(super) const WIDE_ORIGINAL: u32 = 1 << 18;
    /// The translated tuple has.
    pub(super) const WIDE_TRANSLATED: u32 = 1 << 19;

    /// Whether all of `facts` are known.
    pub(super) const fn has(self, facts: u32) -> bool {
        self.0 & facts == facts
    }

    /// Whether one of `facts` is known.
    pub(super) const fn has_any(self, facts: u32) -> bool {
        self.0 & facts != 0
    }

    pub(super) const fn set(&mut self, facts: u32) {
        self.0 |= facts;
    }

    pub(super) const fn clear(&mut self, facts: u32) {
        self.0 &= !facts;
    }

    pub(super) const fn put(&mut self, facts: u32, known: bool) {
        if known { self.set(facts) } else { self.clear(facts) }
    }
}
