//! The share of connections that a rule lets leave outside the allowed ports, by how the kernel selects ports.

use std::ops::RangeInclusive;

use schemars::JsonSchema;
use serde::Serialize;

use super::Facts;
use crate::model::{PortSet, port_distribution};
use crate::ruleset::{Nat, NatPorts};

/// Where that can be read.
pub(super) const SOURCE: &str = "source: get_unique_tuple() and nf_nat_l4proto_unique_tuple() in net/netfilter/nf_nat_core.c, read in \
     kernels 5.10 to 7.3: port = lowest + random 16-bit offset modulo size";

/// The range of sockets where nothing else is known (`inet_init_net`).
const DEFAULT_SOURCES: (u16, u16) = (32768, 60999);

/// What a rule does to one address family.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Share {
    /// `ipv4` or `ipv6`.
    pub family: &'static str,
    /// What the filter lets through.
    pub allowed: PortSet,
    /// The ranges that the kernel draws from, when it draws.
    pub draws_from: Vec<String>,
    /// Whether the original port is kept where it can be.
    pub keeps: bool,
    /// The share of connections that leave outside, without clashes; null where a map decides, and they differ.
    pub outside: Option<f64>,
    /// The least, over what a map can choose and clashes can be.
    pub at_least: f64,
    /// The most.
    pub at_most: f64,
    /// Whether no connection from a source port above 1023 can ever leave outside.
    pub never: bool,
}

/// What is known of the connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Traffic {
    /// The ports that they come from.
    pub(super) sources: RangeInclusive<u16>,
    /// Entries of the conntrack table, of which none can clash with more than all.
    pub(super) entries: Option<u64>,
}

impl Traffic {
    /// By the settings of the node: sockets of pods have the default range unless it was changed there.
    pub(super) fn of(facts: &Facts) -> Self {
        let (low, high) = facts.own_range().unwrap_or(DEFAULT_SOURCES);
        Self { sources: low..=high, entries: facts.number("nf_conntrack_count") }
    }
}

/// The share of a rule; `None` where its ports are not known.
pub(super) fn share(nat: &Nat, family: &'static str, allowed: &PortSet, traffic: &Traffic) -> Option<Share> {
    let ranges: Vec<_> = match &nat.ports {
        // Connections from lower ports draw from lower ranges; sockets of pods do not have such ports.
        NatPorts::Default => vec![port_distribution::default_range(u16::MAX)],
        NatPorts::Ranges(ranges) => ranges.iter().map(|&(low, high)| low..=high).collect(),
        NatPorts::Unknown => return None,
    };
    let passes = |port| allowed.contains(port);
    let clash = traffic.entries.map_or(1.0, |entries| port_distribution::clash_chance(entries, &traffic.sources));
    let keeps = !nat.flags.draws();
    let of = |range: &RangeInclusive<u16>, clash: f64| {
        if !keeps {
            return port_distribution::share_outside(range, passes);
        }
        let kept = if nat.ports == NatPorts::Default { &(0..=u16::MAX) } else { range };
        port_distribution::share_preserved(&traffic.sources, kept, range, clash, passes)
    };
    let without: Vec<f64> = ranges.iter().map(|range| of(range, 0.0)).collect();
    let all: Vec<f64> = ranges.iter().map(|range| of(range, clash)).chain(without.iter().copied()).collect();
    let first = without.first().copied().unwrap_or_default();
    Some(Share {
        family,
        allowed: allowed.clone(),
        draws_from: ranges.iter().map(|range| format!("{}-{}", range.start(), range.end())).collect(),
        keeps,
        outside: without.iter().all(|share| (share - first).abs() < 1e-12).then_some(first),
        at_least: all.iter().copied().fold(f64::INFINITY, f64::min),
        at_most: all.iter().copied().fold(0.0, f64::max),
        // A port is kept only where the range has it, so what can be drawn is all that can leave.
        never: ranges.iter().all(|range| port_distribution::share_outside(range, passes) == 0.0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ruleset::{Flags, NatKind};

    fn of(fully_random: bool, ports: NatPorts, allowed: &str, entries: u64) -> Share {
        let flags = Flags { fully_random, ..Flags::default() };
        let nat = Nat { kind: NatKind::Masquerade, flags, ports, address: None };
        let traffic = Traffic { sources: 32768..=60999, entries: Some(entries) };
        share(&nat, "ipv4", &allowed.parse().unwrap(), &traffic).unwrap()
    }

    fn is(share: Option<f64>, expected: f64) -> bool {
        (share.unwrap() - expected).abs() < 1e-6
    }

    #[test]
    fn random_draws_have_their_exact_share() {
        assert!(is(of(true, NatPorts::Default, "32768-65535", 9).outside, 0.5));
        assert!(is(of(true, NatPorts::Default, "32768-60999", 9).outside, 37304.0 / 65536.0));
        assert!(is(of(true, NatPorts::Default, "10000-19999", 9).outside, 1.0 - 10000.0 / 65536.0));
        // The first 9072 ports of 32768-60999 are half as likely again: 3 offsets each instead of 2.
        let biased = of(true, NatPorts::Ranges(vec![(32768, 60999)]), "41840-65535", 9);
        assert!(is(biased.outside, 9072.0 * 3.0 / 65536.0) && !biased.never && !biased.keeps);
    }

    #[test]
    fn a_rule_whose_ports_are_allowed_can_never_leave_them() {
        assert!(of(true, NatPorts::Ranges(vec![(32768, 65535)]), "32768-65535", 9).never);
        assert!(of(false, NatPorts::Ranges(vec![(40000, 50000)]), "32768-65535", 1_000_000).never);
        assert!(of(true, NatPorts::Default, "1024-65535", 9).never);
        assert!(!of(false, NatPorts::Default, "32768-65535", 0).never);
    }

    #[test]
    fn plain_masquerade_leaves_outside_by_source_ports_and_clashes() {
        let quiet = of(false, NatPorts::Default, "32768-65535", 0);
        assert!(is(quiet.outside, 0.0) && is(Some(quiet.at_most), 0.0));
        let busy = of(false, NatPorts::Default, "32768-65535", 28232);
        assert!(is(busy.outside, 0.0) && is(Some(busy.at_most), 0.5 * (1.0 - (1.0f64 - 1.0 / 28232.0).powi(28232))));
        assert!(is(of(false, NatPorts::Default, "10000-19999", 0).outside, 1.0));
    }

    #[test]
    fn a_map_of_ports_has_a_share_for_each_of_its_ranges() {
        let map = of(true, NatPorts::Ranges(vec![(40000, 40000), (2000, 2000)]), "32768-65535", 0);
        assert_eq!((map.outside, map.at_least, map.at_most, map.never), (None, 0.0, 1.0, false));
    }
}
