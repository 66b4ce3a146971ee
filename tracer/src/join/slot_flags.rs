//! What is known about an attempt, one bit each.

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SlotFlags(u32);

impl SlotFlags {
    /// The original tuple.
    pub(super) const ORIGINAL: u32 = 1 << 0;
    /// The translated tuple.
    pub(super) const TRANSLATED: u32 = 1 << 1;
    /// The translated tuple comes from a binding made for an earlier attempt.
    pub(super) const FROM_CACHED_BINDING: u32 = 1 << 2;
    /// The SYN was seen leaving.
    pub(super) const SEEN: u32 = 1 << 3;
    /// The rule's range and flags.
    pub(super) const RANGE: u32 = 1 << 4;
    /// A socket of this kernel makes the attempt.
    pub(super) const SOCKET: u32 = 1 << 5;
    /// The socket reports its retransmits, so repeats on the wire add nothing.
    pub(super) const SOCKET_RETRANSMITS: u32 = 1 << 6;
    /// A SYN-ACK arrived.
    pub(super) const SYN_ACK: u32 = 1 << 7;
    /// An RST arrived.
    pub(super) const RST: u32 = 1 << 8;
    /// One of them arrived, at `answered_at`.
    pub(super) const ANSWERED: u32 = 1 << 9;
    /// The newest of them is an RST.
    pub(super) const ANSWER_IS_RST: u32 = 1 << 10;
    /// The newest transmission has an event of NAT.
    pub(super) const SENT_BY_BINDING: u32 = 1 << 11;
    /// The newest transmission has an event of the wire.
    pub(super) const SENT_BY_WIRE: u32 = 1 << 12;
    /// The original tuple comes from a SYN that was seen arriving; a socket or NAT know better.
    pub(super) const ARRIVED: u32 = 1 << 13;
    /// The SYN was retransmitted after a SYN-ACK had arrived.
    pub(super) const SYN_ACK_UNDELIVERED: u32 = 1 << 14;
    /// An RST left as the answer to a SYN-ACK, while the client waited for one.
    pub(super) const RESET_HERE: u32 = 1 << 15;
    /// A SYN was dropped that had no conntrack entry.
    pub(super) const NO_ENTRY: u32 = 1 << 16;
    /// The translated tuple is what another NAT of this kernel made of an earlier one's.
    pub(super) const SECOND_NAT: u32 = 1 << 17;
    /// The original tuple has numbers instead of addresses.
    pub(super) const WIDE_ORIGINAL: u32 = 1 << 18;
    /// The translated tuple has.
    pub(super) const WIDE_TRANSLATED: u32 = 1 << 19;

    /// A SYN left with another source, or by another interface, than the one before.
    pub(super) const EGRESS_MIXED: u32 = 1 << 20;
    /// How many SYNs lacked what the first one had, as far as 7: three bits from this one on.
    const PLAIN_SYNS: u32 = 21;

    /// It has an `Extra`.
    pub(super) const EXTRA: u32 = 1 << 26;
    /// Its way is noted in `Paths`.
    pub(super) const FOLLOWED: u32 = 1 << 27;

    /// An answer was dropped on its way to another address or port than NAT gives it.
    pub(super) const DIVERTED: u32 = 1 << 28;
    /// A SYN was dropped whose destination was its client itself.
    pub(super) const HAIRPIN: u32 = 1 << 29;

    /// The client sent on after a SYN that has no answer here.
    pub(super) const ANSWERED_UNSEEN: u32 = 1 << 30;

    /// An answer was dropped that came from another address than the destination's.
    pub(super) const FROM_ELSEWHERE: u32 = 1 << 31;

    /// A SYN lacks what the first one had.
    pub(super) const fn add_plain_syn(&mut self) {
        if self.plain_syns() < 7 {
            self.0 += 1 << Self::PLAIN_SYNS;
        }
    }

    /// How many did, as far as 7.
    pub(super) const fn plain_syns(self) -> u32 {
        self.0 >> Self::PLAIN_SYNS & 7
    }

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
