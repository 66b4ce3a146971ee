//! Which translated ports are allowed, per address family.

use serde::{Deserialize, Serialize};

use super::{Attempt, PortSet};

/// Where a policy came from; named in the header line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// No range was given.
    #[default]
    Default,
    /// `--allow` or its environment variable.
    Given,
    /// `--allow auto`: ip_local_port_range of the node.
    Auto,
}

impl Origin {
    /// The word in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Given => "given",
            Self::Auto => "auto",
        }
    }
}

/// The allowed translated ports, per address family.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// For IPv4.
    pub v4: PortSet,
    /// For IPv6.
    pub v6: PortSet,
    /// Where `v4` came from, and `v6` too unless it differs: then it was given on its own.
    pub origin: Origin,
}

impl Default for Policy {
    /// The ports on which most providers' stateless filters accept return traffic.
    fn default() -> Self {
        let ports = PortSet::range(32768, 65535);
        Self { v4: ports.clone(), v6: ports, origin: Origin::Default }
    }
}

impl Policy {
    /// The allowed ports of an address family.
    pub const fn allowed(&self, is_ipv4: bool) -> &PortSet {
        if is_ipv4 { &self.v4 } else { &self.v6 }
    }

    /// Where the allowed ports of an address family came from.
    pub fn origin_of(&self, is_ipv4: bool) -> Origin {
        if is_ipv4 || self.v4 == self.v6 { self.origin } else { Origin::Given }
    }

    /// The allowed ports of an address family in a sentence: the default range is only assumed.
    pub fn words(&self, is_ipv4: bool) -> String {
        let allowed = self.allowed(is_ipv4);
        match self.origin_of(is_ipv4) {
            Origin::Default => format!("the assumed range {allowed} (default)"),
            Origin::Given | Origin::Auto => format!("the allowed range {allowed}"),
        }
    }

    /// The allowed ports for an attempt, by the family of the tuple that leaves.
    pub fn allowed_for(&self, attempt: &Attempt) -> &PortSet {
        self.allowed(attempt.translated.or(attempt.original).is_none_or(|flow| flow.is_ipv4()))
    }
}

/// What the user said about the policy: over the default of a live capture, or over the policy of a trace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyChange {
    /// `--allow`, and whether it was a list of ports or `auto`.
    pub allow: Option<(PortSet, Origin)>,
    /// `--allow6`.
    pub allow6: Option<PortSet>,
}

impl PolicyChange {
    /// The policy in force. `--allow` counts for both families, unless `--allow6` says something else for IPv6.
    pub fn over(&self, base: &Policy) -> Policy {
        let (v4, base_v6, origin) = match &self.allow {
            Some((ports, origin)) => (ports, ports, *origin),
            None => (&base.v4, &base.v6, base.origin),
        };
        Policy { v4: v4.clone(), v6: self.allow6.as_ref().unwrap_or(base_v6).clone(), origin }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(allow: Option<PortSet>, allow6: Option<PortSet>) -> PolicyChange {
        PolicyChange { allow: allow.map(|ports| (ports, Origin::Given)), allow6 }
    }

    #[test]
    fn saying_nothing_keeps_the_policy_and_its_origin() {
        let recorded = Policy { v4: PortSet::range(1, 2), v6: PortSet::range(0, u16::MAX), origin: Origin::Auto };
        assert_eq!(change(None, None).over(&recorded), recorded);
        assert_eq!(change(None, None).over(&Policy::default()).v4.to_string(), "32768-65535");
    }

    #[test]
    fn allow_counts_for_both_families() {
        let policy = change(Some(PortSet::range(10, 20)), None).over(&Policy::default());
        assert_eq!((policy.v4.to_string().as_str(), policy.v6.to_string().as_str()), ("10-20", "10-20"));
        assert_eq!(policy.origin, Origin::Given);
    }

    #[test]
    fn a_range_that_nobody_gave_is_only_assumed() {
        let policy = change(None, Some(PortSet::range(0, u16::MAX))).over(&Policy::default());
        assert_eq!(policy.words(true), "the assumed range 32768-65535 (default)");
        assert_eq!(policy.words(false), "the allowed range any");
        assert_eq!(change(Some(PortSet::range(1, 2)), None).over(&policy).words(true), "the allowed range 1-2");
    }

    #[test]
    fn allow6_counts_for_ipv6_only() {
        let policy = change(None, Some(PortSet::range(0, u16::MAX))).over(&Policy::default());
        assert_eq!(
            (policy.allowed(true), policy.allowed(false)),
            (&PortSet::range(32768, 65535), &PortSet::range(0, u16::MAX))
        );
        assert_eq!(policy.origin, Origin::Default);
    }
}
