//! Where evidence is counted, and what is concluded there.

use std::num::NonZeroU16;

use crate::model::{Assessment, InterfaceName, PortSet, Side};

/// How attempts of an address family leave: by which uplink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path {
    /// IPv4, else IPv6.
    pub is_ipv4: bool,
    /// The network namespace of the uplink; 0 where the trace does not say it.
    pub netns: u32,
    /// The uplink that the SYN was seen leaving by, by its number; 0 where none was seen.
    pub ifindex: u32,
    /// Its name, once it is known; it does not distinguish paths.
    pub name: InterfaceName,
}

impl Path {
    /// Whether it is the same, though the name of one may not be known yet.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        Self { name: other.name, ..*self } == *other
    }
}

/// A destination by a path, and a side of the policy, in a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    pub(super) path: u8,
    pub(super) period: u8,
    pub(super) entry: u16,
    /// The entry is of several destinations
    pub(super) is_shared: bool,
    /// The address of the destination is one that no provider routes
    pub(super) is_private: bool,
    /// The port of the destination
    pub(super) service: u16,
    pub(super) side: Side,
    /// NAT kept the port that the client chose, or it is not known which that was
    pub(super) is_kept: bool,
    /// A hash of the address of the client; 0 where it is not known
    pub(super) client: u8,
    /// `Attempt::packet_class`, and a hash of the translated source address; 0 where unknown
    pub(super) packets: [u8; 2],
    /// The lowest and the highest port that its NAT rule names, where that is known and the rule names any
    pub(super) rule: Option<(u16, NonZeroU16)>,
    /// How long the client waited for an answer before it gave up: at least so long, as a power of two
    pub(super) waited_ms: u16,
}

impl Place {
    /// Whether the client is known to have chosen the port.
    pub(super) const fn is_chosen(&self) -> bool {
        self.is_kept && self.client != 0
    }
}

/// What is concluded about the port of an attempt.
#[derive(Clone, Copy, Debug, Default)]
pub struct PortClaim<'a> {
    /// How strong the claim is that a filter drops return traffic to the port.
    pub assessment: Option<Assessment>,
    /// The range that the path accepts, where the claim is about one that is inferred.
    pub inferred: Option<&'a PortSet>,
}
