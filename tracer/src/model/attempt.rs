//! One TCP connection attempt: socket, binding, retransmits, wire observations and outcome, joined.

use tracer_common::Flow;
use tracer_common::events::{RANGE_PROTO_RANDOM, RANGE_PROTO_RANDOM_FULLY, RANGE_PROTO_SPECIFIED};

use super::{EarlierPorts, Egress, LaterPath, PortSet, Process, Strays};

/// A client that gives up later than this has waited for the answer: `TCP_RTO_MIN`, the shortest time that Linux waits for any.
const MIN_WAIT_NS: u64 = 200_000_000;
/// What gives up sooner says nothing, however near the destination is: this node may have been busy.
const MIN_SHORT_WAIT_NS: u64 = 50_000_000;
/// About when the first retransmit is sent.
pub const RETRANSMIT_MS: u16 = 1024;
/// How long an attempt is said to have waited that still waits, or of which that is not known.
pub const LONG_WAIT_MS: u16 = u16::MAX;

/// How an attempt ended, as far as is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    /// Nothing is known yet.
    #[default]
    Pending,
    /// The socket became established; for an attempt without a local socket, the answer was seen on the wire.
    Established,
    /// The socket gave up (`ETIMEDOUT`); for an attempt without a local socket, no more events came.
    TimedOut,
    /// The answer was an RST (`ECONNREFUSED`).
    Refused,
    /// The application closed the socket, or it failed with another error.
    Closed,
}

impl Outcome {
    /// Whether it is over without a connection.
    #[must_use]
    pub const fn has_failed(self) -> bool {
        match self {
            Self::Pending | Self::Established => false,
            Self::TimedOut | Self::Refused | Self::Closed => true,
        }
    }

    /// The word in JSON and text.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Established => "established",
            Self::TimedOut => "timed_out",
            Self::Refused => "refused",
            Self::Closed => "closed",
        }
    }
}

/// The rule's range and flags, as `nat_select` saw them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NatRange {
    /// `NF_NAT_RANGE_*`
    pub flags: u32,
    /// Lowest port, counts with `NF_NAT_RANGE_PROTO_SPECIFIED`
    pub min_port: u16,
    /// Highest port
    pub max_port: u16,
}

/// How the NAT rule chooses the translated port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NatMode {
    /// `--random-fully`
    FullyRandom,
    /// `--random`
    Random,
    /// The original port is kept unless it is taken
    Preserved,
    /// The rule names ports
    Range,
    /// No `nat_select` was seen
    Unknown,
}

impl NatMode {
    /// The word in JSON and text.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::FullyRandom => "fully_random",
            Self::Random => "random",
            Self::Preserved => "preserved",
            Self::Range => "range",
            Self::Unknown => "unknown",
        }
    }
}

impl From<Option<NatRange>> for NatMode {
    fn from(range: Option<NatRange>) -> Self {
        match range {
            None => Self::Unknown,
            Some(range) if range.flags & RANGE_PROTO_SPECIFIED != 0 => Self::Range,
            Some(range) if range.flags & RANGE_PROTO_RANDOM_FULLY != 0 => Self::FullyRandom,
            Some(range) if range.flags & RANGE_PROTO_RANDOM != 0 => Self::Random,
            Some(_) => Self::Preserved,
        }
    }
}

/// How a packet of an attempt was dropped on this node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// How many were; at most 255 are counted.
    pub count: u8,
    /// Why the newest was, as the node's kernel numbers it; 0 where it gives no reason.
    pub reason: u32,
    /// `enum ip_conntrack_info` of the newest, or that it had no conntrack entry
    pub ctinfo: u8,
    /// Reason or `ctinfo` of an earlier one differ.
    pub are_mixed: bool,
}

/// How full a conntrack table was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableFill {
    /// Entries in it.
    pub count: u32,
    /// Entries that fit.
    pub max: u32,
}

/// One TCP connection attempt.
///
/// Every field is a fact from events. What they mean is for `causes` to say, in a `Judgement`.
#[derive(Clone, Debug, Default)]
pub struct Attempt {
    /// Time of the first event, nanoseconds since boot.
    pub first_ns: u64,
    /// Time of the newest event.
    pub last_ns: u64,
    /// Initial sequence number of the SYN.
    pub isn: u32,
    /// Before NAT. Unknown for a forwarded attempt that only the wire saw.
    pub original: Option<Flow>,
    /// After NAT, as the SYN leaves. Unknown until a binding or a wire observation is known.
    pub translated: Option<Flow>,
    /// Namespace of the socket.
    pub socket_netns: Option<u32>,
    /// Namespace of the NAT.
    pub nat_netns: Option<u32>,
    /// The rule's range and flags.
    pub range: Option<NatRange>,
    /// How many times NAT chose a port for this SYN and its retransmits.
    pub selections: u32,
    /// How many times the SYN was retransmitted.
    pub retransmits: u32,
    /// How many times the SYN was sent before its first event, as its socket counts: the capture began later, or events were lost.
    pub sent_before: u32,
    /// How many retransmits failed on this node already (known from kernel 6.17 on).
    pub send_errors: u32,
    /// The newest negative errno of a failed send.
    pub send_errno: i32,
    /// How many times the SYN was seen leaving; a SYN that passes several watched interfaces counts once.
    pub syns_leaving: u32,
    /// The interface that saw it first; 0 before.
    pub ifindex: u32,
    /// Its network namespace; `None` where the trace does not say it.
    pub uplink_netns: Option<u32>,
    /// By what else than its ports the first SYN that left may be treated (`packet_class`); 0 where unknown.
    pub packet_class: u8,
    /// A SYN-ACK was seen arriving.
    pub syn_ack_seen: bool,
    /// An RST was seen arriving as the answer to the SYN.
    pub rst_seen: bool,
    /// Its client sent on after a SYN, and no answer was seen: one came by an interface that is not watched.
    pub is_answered_unseen: bool,
    /// The SYN was retransmitted after a SYN-ACK had arrived, so the client did not get the SYN-ACK.
    pub syn_ack_undelivered: bool,
    /// An RST was seen leaving as the answer to a SYN-ACK, while the client still waited for one.
    pub is_reset_here: bool,
    /// Type and code of an ICMP error that quoted the SYN.
    pub icmp: Option<(u8, u8)>,
    /// SYNs dropped on this node, on their way.
    pub syn_dropped: Dropped,
    /// Dropped, but not on their way: copies of a SYN that left, or SYNs beyond the uplink, in a namespace in front of it.
    pub syn_dropped_aside: Dropped,
    /// How many of `syn_dropped` had been seen leaving: the queue of that interface dropped them, or another watched namespace did.
    pub dropped_after_leaving: u8,
    /// How many of them were dropped after NAT had chosen a source and before the choice was confirmed.
    pub unconfirmed: u8,
    /// Answers dropped on this node.
    pub answer_dropped: Dropped,
    /// One of them was on its way to another address or port than NAT gives it: another socket had taken it.
    pub is_answer_diverted: bool,
    /// One of them came from another address than the destination's, before or after NAT.
    pub is_answer_from_elsewhere: bool,
    /// A SYN was dropped here whose destination after NAT was its client itself (hairpin).
    pub is_hairpin: bool,
    /// The fullest conntrack table while a SYN without entry was dropped.
    pub table: Option<TableFill>,
    /// The ports with which earlier SYNs left unanswered, where NAT chose another one for a later SYN.
    pub earlier_ports: EarlierPorts,
    /// What arrived and does not answer the SYN.
    pub strays: Strays,
    /// Which process had its socket open when the SYN was retransmitted.
    pub process: Option<Process>,
    /// How its SYNs left this node.
    pub egress: Egress,
    /// How later attempts left, if by another path.
    pub later_path: Option<LaterPath>,
    /// How it ended.
    pub outcome: Outcome,
}

impl Attempt {
    /// Whether NAT changed the source, by the tuples alone: `None` while one of them is unknown.
    #[must_use]
    pub fn is_translated(&self) -> Option<bool> {
        let (original, translated) = (self.original?, self.translated?);
        Some((original.src, original.src_port) != (translated.src, translated.src_port) || self.nat_netns.is_some())
    }

    /// Whether a socket in the network namespace of its uplink made it, and NAT left its source alone: the node's own connection.
    #[must_use]
    pub fn is_of_node(&self) -> bool {
        self.socket_netns.is_some() && self.socket_netns == self.uplink_netns && self.is_translated() == Some(false)
    }

    /// Whether the translated port may be the one that the client chose; else NAT has drawn it.
    #[must_use]
    pub fn may_keep_port(&self) -> bool {
        self.original.is_none_or(|original| self.translated.is_none_or(|to| original.src_port == to.src_port))
    }

    /// The ports with which earlier SYNs left and were not answered, where all that is known: no SYN was dropped here.
    pub fn unanswered_ports(&self) -> impl Iterator<Item = u16> + use<> {
        let is_known = self.syn_dropped.count == 0 && self.send_errors == 0 && self.icmp.is_none();
        let newest = self.translated.map(|translated| translated.src_port);
        self.earlier_ports.iter().filter(move |port| is_known && Some(*port) != newest)
    }

    /// The port of which it is asked whether a filter drops it: where a SYN with an earlier port was not answered that is not
    /// allowed, or only later ones were answered, that port.
    #[must_use]
    pub fn port_in_question(&self, allowed: &PortSet) -> Option<u16> {
        let newest = self.translated?.src_port;
        let is_answered = self.is_answered();
        if !is_answered && !allowed.contains(newest) {
            return Some(newest);
        }
        let earlier = || self.unanswered_ports();
        let outside = earlier().find(|port| !allowed.contains(*port));
        Some(outside.or_else(|| earlier().next().filter(|_| is_answered)).unwrap_or(newest))
    }

    /// Whether return traffic reached this node: a SYN-ACK, an RST or a stray segment arrived, or was dropped here, or the outcome
    /// implies one. The path accepts return traffic on this port then.
    ///
    /// A refusal implies none where this node dropped the SYN: a rule that rejects does both.
    #[must_use]
    pub fn is_answered(&self) -> bool {
        let implied = match self.outcome {
            Outcome::Established => true,
            Outcome::Refused => self.syn_dropped.count == 0,
            Outcome::Pending | Outcome::TimedOut | Outcome::Closed => false,
        };
        implied || self.syn_ack_seen || self.rst_seen || self.answer_dropped.count > 0 || self.strays.any()
    }

    /// Whether only an RST answered: of the destination, or of a firewall before it.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        let is_rst = self.rst_seen || self.outcome == Outcome::Refused && self.syn_dropped.count == 0;
        let is_accepted = self.outcome == Outcome::Established || self.syn_ack_seen || self.answer_dropped.count > 0;
        is_rst && !is_accepted && !self.strays.any()
    }

    /// Whether an answer was due and none came: the SYN was retransmitted, or the client gave up before that.
    #[must_use]
    pub fn is_unanswered(&self) -> bool {
        !self.is_answered() && (self.retransmits > 0 || self.is_given_up())
    }

    /// The same, where answers were due sooner: other attempts to the destination were answered in a fraction of that time.
    #[must_use]
    pub fn may_be_unanswered(&self) -> bool {
        self.is_unanswered() || !self.is_answered() && self.gave_up_after_ns() >= Some(MIN_SHORT_WAIT_NS)
    }

    /// How long the answer took, or how long its client waited for one before it gave up, in milliseconds rounded up. 0 where the SYN
    /// that was answered was not seen.
    #[must_use]
    pub fn waited_ms(&self) -> u16 {
        let is_answered = self.is_answered();
        if is_answered && (self.sent_before > 0 || self.syns_leaving == 0 && self.nat_netns.is_none()) {
            return 0;
        }
        if !is_answered && (self.socket_netns.is_none() || !self.outcome.has_failed() || self.retransmits > 2) {
            return LONG_WAIT_MS;
        }
        let at_least = if self.retransmits > 0 && !is_answered { RETRANSMIT_MS } else { 0 };
        let waited_ms = self.last_ns.saturating_sub(self.first_ns).div_ceil(1_000_000);
        u16::try_from(waited_ms).unwrap_or(LONG_WAIT_MS).max(at_least)
    }

    /// Whether the client waited for an answer and gave up before the first retransmit, 1 s after the SYN. Only its socket shows that: where
    /// there is none here, answers by another interface go unseen.
    fn is_given_up(&self) -> bool {
        self.gave_up_after_ns().is_some_and(|waited| waited >= MIN_WAIT_NS)
    }

    /// Whether the client gave up before an answer was due, and nothing that could be the reason was seen.
    #[must_use]
    pub fn is_given_up_early(&self) -> bool {
        self.icmp.is_none()
            && self.syn_dropped.count == 0
            && self.gave_up_after_ns().is_some_and(|waited| waited < MIN_SHORT_WAIT_NS)
    }

    /// How long the client waited for an answer that did not come, if it gave up before the first retransmit.
    fn gave_up_after_ns(&self) -> Option<u64> {
        let has_ended = match self.outcome {
            Outcome::TimedOut | Outcome::Closed => self.socket_netns.is_some(),
            Outcome::Pending | Outcome::Established | Outcome::Refused => false,
        };
        (has_ended && self.retransmits == 0).then(|| self.last_ns.saturating_sub(self.first_ns))
    }
}
