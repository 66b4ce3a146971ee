//! What is known of an attempt, one bit each.

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Known(u16);

impl Known {
    /// The original tuple.
    pub(super) const ORIGINAL: u16 = 1 << 0;
    /// The translated tuple.
    pub(super) const TRANSLATED: u16 = 1 << 1;
    /// The translated tuple comes from a binding made for an earlier attempt.
    pub(super) const REMEMBERED: u16 = 1 << 2;
    /// The SYN was seen leaving.
    pub(super) const SEEN: u16 = 1 << 3;
    /// The rule's range and flags.
    pub(super) const RANGE: u16 = 1 << 4;
    /// A socket of this kernel makes the attempt.
    pub(super) const SOCKET: u16 = 1 << 5;
    /// The socket tells of its retransmits, so repeats on the wire say nothing new.
    pub(super) const SOCKET_RETRANSMITS: u16 = 1 << 6;
    /// A SYN-ACK arrived.
    pub(super) const SYN_ACK: u16 = 1 << 7;
    /// An RST arrived.
    pub(super) const RST: u16 = 1 << 8;
    /// One of them arrived, at `answered_at`.
    pub(super) const ANSWERED: u16 = 1 << 9;
    /// The newest of them is an RST.
    pub(super) const ANSWER_IS_RST: u16 = 1 << 10;
    /// The newest transmission was told by a binding.
    pub(super) const SENT_BOUND: u16 = 1 << 11;
    /// The newest transmission was told by the wire.
    pub(super) const SENT_SEEN: u16 = 1 << 12;
    /// A retransmit was flagged: the pipeline's opinion.
    pub(super) const FLAGGED: u16 = 1 << 13;
    /// The original tuple comes from a SYN that was seen arriving; a socket or NAT know better.
    pub(super) const ARRIVED: u16 = 1 << 14;

    /// Whether all of `facts` are known.
    pub(super) const fn has(self, facts: u16) -> bool {
        self.0 & facts == facts
    }

    pub(super) const fn set(&mut self, facts: u16) {
        self.0 |= facts;
    }

    pub(super) const fn clear(&mut self, facts: u16) {
        self.0 &= !facts;
    }

    pub(super) const fn put(&mut self, facts: u16, known: bool) {
        if known { self.set(facts) } else { self.clear(facts) }
    }
}
