//! What the evidence of a node says about its policy, for each path out of it.

use super::{Assessment, Capture, InterfaceName, Origin, Period, PortSet, Strength, plural};

/// What the evidence of a node says about the policy for one address family by one uplink.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyEvidence {
    /// Host name of the node.
    pub node: String,
    /// IPv4, else IPv6.
    pub is_ipv4: bool,
    /// The network namespace of the uplink; `None` where the trace does not say it.
    pub netns: Option<u32>,
    /// The uplink that SYNs left by, by its number; 0 where none was seen.
    pub ifindex: u32,
    /// Its name, where that is known.
    pub interface: InterfaceName,
    /// It is about the node's own sockets, whose ports NAT leaves alone.
    pub is_of_sockets: bool,
    /// The allowed ports.
    pub allowed: PortSet,
    /// Where they came from.
    pub origin: Origin,
    /// The part of the capture that it is about: a filter may appear or disappear.
    pub period: Period,
    /// The policy in words.
    words: String,
    /// One for each side outside of it that attempts left from.
    pub sides: Vec<SideEvidence>,
}

/// What the evidence says about one side of a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SideEvidence {
    /// Over all destinations.
    pub assessment: Assessment,
    /// Destinations that answer ports in the policy, and those on this side practically never.
    pub filtered: u32,
    /// Destinations that answer ports on this side.
    pub passing: u32,
}

impl PolicyEvidence {
    /// Of a capture.
    pub fn new(
        capture: &Capture,
        is_ipv4: bool,
        (netns, ifindex): (u32, u32),
        period: Period,
        sides: Vec<SideEvidence>,
    ) -> Self {
        let policy = &capture.policy;
        Self {
            node: capture.node.clone(),
            is_ipv4,
            netns: (netns != 0).then_some(netns),
            ifindex,
            interface: InterfaceName::default(),
            is_of_sockets: false,
            allowed: policy.allowed(is_ipv4).clone(),
            origin: policy.origin_of(is_ipv4),
            period,
            words: policy.words(is_ipv4),
            sides,
        }
    }

    /// The word for its address family.
    pub const fn family_name(&self) -> &'static str {
        if self.is_ipv4 { "ipv4" } else { "ipv6" }
    }

    /// How strong the evidence for the policy is: that of its weakest side.
    pub fn strength(&self) -> Strength {
        self.sides.iter().map(|side| side.assessment.strength()).max().unwrap_or(Strength::NoneYet)
    }

    /// A sentence about allowed ports that the path does not pass.
    pub fn too_wide(&self, ports: &PortSet, is_for_all: bool) -> String {
        let path = if is_for_all { "the path does" } else { "the paths to some destinations do" };
        format!("{}: {} is too wide: by all attempts, {path} not pass {ports}", self.family(), self.words)
    }

    const fn family(&self) -> &'static str {
        if self.is_ipv4 { "IPv4" } else { "IPv6" }
    }

    /// One sentence for each side.
    pub fn sentences(&self) -> Vec<String> {
        let of = if self.is_of_sockets { ", sockets of this node" } else { "" };
        let family = format!("{}{of}{}", self.family(), self.period.words());
        let sentence = |SideEvidence { assessment, filtered, passing }: &SideEvidence| {
            let verdict = match assessment.strength() {
                Strength::Proven if passing >= filtered => "holds for some destinations",
                Strength::Proven if *passing > 0 => "holds for most destinations",
                Strength::Proven => "holds",
                Strength::Supported => "holds so far",
                Strength::NoneYet => "cannot be checked",
                Strength::Contradicted => "is contradicted",
            };
            let kind = assessment.scope.kind();
            let of_kind = kind.map_or_else(String::new, |kind| format!(" for {kind} destinations"));
            let (ports, counts) = (assessment.side.ports(&self.allowed), assessment.words(&self.allowed, "all"));
            let mixed = match (filtered, passing) {
                (0, _) | (_, 0) => String::new(),
                (filtered, passing) if assessment.reason.compares_destinations() => {
                    let filtered = plural(u64::from(*filtered), "destination");
                    format!("; these are attempts to {filtered}, and {passing} more answered such ports")
                }
                (filtered, passing) => {
                    format!("; such ports are answered by {passing} of the destinations, not by {filtered}")
                }
            };
            format!("{family}: {} {verdict}{of_kind} {ports}: {counts}{mixed}", self.words)
        };
        self.sides.iter().map(sentence).collect()
    }
}
