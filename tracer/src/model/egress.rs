//! How the SYNs of an attempt left this node: interface, source address, and what was watched.

use std::fmt::{self, Display, Formatter};

/// Bytes of an interface's name (`IFNAMSIZ`).
const NAME_LEN: usize = 16;

/// The name of an interface; empty where it is unknown.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct InterfaceName([u8; NAME_LEN]);

impl InterfaceName {
    /// The name, zero beyond its length.
    pub const fn new(bytes: [u8; NAME_LEN]) -> Self {
        Self(bytes)
    }

    /// Whether the name is known.
    pub const fn is_known(&self) -> bool {
        self.0[0] != 0
    }
}

impl Display for InterfaceName {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let length = self.0.iter().position(|&byte| byte == 0).unwrap_or(NAME_LEN);
        let name = self.0.get(..length).unwrap_or(&self.0);
        f.write_str(if name.is_empty() { "an unknown interface" } else { str::from_utf8(name).unwrap_or("?") })
    }
}

impl fmt::Debug for InterfaceName {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// To whom the source address belongs with which a SYN left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SourceAddress {
    /// The node's addresses are not known, or no SYN was seen leaving.
    #[default]
    Unknown,
    /// To the interface by which the SYN left.
    OfInterface,
    /// To another interface of this node.
    OfOtherInterface,
    /// To no interface of this node.
    NotOfNode,
}

/// Whether a SYN that leaves would have been seen, from the first to the newest event of the attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Watch {
    /// The trace does not say which interfaces were watched.
    #[default]
    Unknown,
    /// Every uplink was watched all the time.
    Complete,
    /// No interface was watched, another program hid packets from the watch, or the watched interfaces changed.
    Incomplete,
}

/// What the SYN asks for or carries, by which a device on the path may drop it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SynFeatures {
    /// It asks for ECN (RFC 3168).
    pub ecn: bool,
    /// It carries data.
    pub data: bool,
    /// It has a TCP Fast Open option (RFC 7413).
    pub fast_open: bool,
    /// It has an MPTCP option (RFC 8684).
    pub mptcp: bool,
}

impl SynFeatures {
    /// Whether it lacks something that another SYN has.
    pub const fn lacks_any_of(self, other: Self) -> bool {
        other.ecn && !self.ecn
            || other.data && !self.data
            || other.fast_open && !self.fast_open
            || other.mptcp && !self.mptcp
    }

    /// Whether it has none of them.
    pub const fn is_plain(self) -> bool {
        !(self.ecn || self.data || self.fast_open || self.mptcp)
    }
}

/// How attempts to one destination fared, by whether the first SYN had one of [`SynFeatures`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FeatureCounts {
    /// It did, and it or a retransmit like it was answered.
    pub answered: u32,
    /// It did, and was not answered; a retransmit without these features was.
    pub only_plain_answered: u32,
    /// Plain retransmits that were not answered, of attempts whose later one was.
    pub plain_lost: u32,
    /// It did not, and was answered. Plain first SYNs count once one with such features was retransmitted.
    pub plain_answered: u32,
    /// It did not, and was not answered; a retransmit was.
    pub plain_retransmitted: u32,
    /// Of `answered`, those that an RST answered.
    pub refused: u32,
    /// Of `plain_answered`, those that an RST answered.
    pub plain_refused: u32,
}

/// How attempts to one destination (address and port) fared, of which some were answered by segments that do not acknowledge their SYN.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChallengeCounts {
    /// Ports whose SYNs were answered so; at most 8 are counted.
    pub ports: u32,
    /// Attempts answered so that have ended.
    pub attempts: u32,
    /// Attempts that were answered otherwise and ended after the first one answered so.
    pub others: u32,
}

/// How the SYNs of an attempt left this node. All but `encapsulates` is known for attempts with retransmits only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Egress {
    /// The interface by which the newest SYN left.
    pub interface: InterfaceName,
    /// The interface by which the first SYN left, if it was another one.
    pub first_interface: Option<InterfaceName>,
    /// An earlier SYN left with another source, or by another interface.
    pub is_mixed: bool,
    /// The newest interface encapsulates: what it sends takes the path of the tunnel.
    pub encapsulates: bool,
    /// To whom the source address belongs with which the newest SYN left.
    pub source: SourceAddress,
    /// With [`SourceAddress::OfOtherInterface`], the interface that has the address.
    pub source_interface: InterfaceName,
    /// That interface leads to other hosts: it is, or was, an uplink, or has a network of its own.
    pub source_interface_is_uplink: bool,
    /// With [`SourceAddress::NotOfNode`], the address is in a network of the interface, and no route leads it out of another one: its neighbours
    /// look for the node that has it.
    pub source_is_on_link: bool,
    /// With [`SourceAddress::NotOfNode`], an interface of the node had the address before.
    pub source_was_of_node: bool,
    /// Another attempt of this capture was answered whose SYN left by the same interface, with the same source address (one
    /// of the same /24 or /64, not the node's either, where it is not the node's), to the same kind of destination (private or public).
    pub source_is_answered: bool,
    /// Another attempt of this capture was answered whose SYN left by the same interface, with a private address that is not the node's, to the
    /// same kind of destination.
    pub like_source_is_answered: bool,
    /// NAT changed the source of another attempt of this capture, from the same /24 or /64, which left by the same interface to the same kind of
    /// destination.
    pub like_source_is_translated: bool,
    /// How many attempts that left by the same interface with this source were retransmitted (one of the same /24 or /64, where it is
    /// not the node's), to the same kind of destination, where the source is not the interface's; at most 8 are counted.
    pub attempts_with_source: u32,
    /// To how many destinations those went.
    pub destinations_with_source: u32,
    /// The namespace of the interface has NAT rules: they left the source of this or another SYN alone.
    pub has_nat_rules: bool,
    /// The interface has private addresses only: what goes to public destinations is translated further on.
    pub interface_is_private: bool,
    /// An attempt to the same destination that began later, and left with the address of its interface, was answered. Where the source is a private
    /// one of the interface, with a public one of it, and at most 1 s before.
    pub own_source_is_answered: bool,
    /// The interface that has the source address is watched: an answer that arrives there is seen.
    pub source_interface_is_watched: bool,
    /// Whether a SYN that leaves would have been seen.
    pub watch: Watch,
    /// What the first SYN seen leaving asked for.
    pub first_syn: SynFeatures,
    /// What the newest SYN seen leaving asked for.
    pub newest_syn: SynFeatures,
    /// How other attempts to this destination fared, with such features and without.
    pub others: FeatureCounts,
    /// Which attempts to this destination were answered by segments that do not acknowledge their SYN.
    pub challenges: ChallengeCounts,
}
