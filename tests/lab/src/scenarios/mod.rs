//! What the lab can play, one scenario a file.
//!
//! To add one: a file here, a line in `ALL`, a row in docs/lab.md.

mod conntrack_full;
mod dropped_here;
mod filter_fixed;
mod forwarded;
mod fully_random;
mod host;
mod insert_race;
mod ipv6;
mod loss;
mod mixed;
mod no_answer;
mod not_translated;
mod other_range;
mod port_exhausted;
mod port_out_of_range;
mod ports_fixed;
mod preserved;
mod preserved_clash;
mod refused;
mod reply_dropped_here;
mod reply_stolen;
mod reused_port;
mod service;
mod unknown;
mod unreachable;

use std::net::SocketAddr;

use anyhow::{Result, bail};

use super::filter::Filter;
use super::net::{Family, Net};
use super::rules::Masquerade;
use snatrace::model::law;

/// One thing that the lab can play.
#[derive(Clone, Copy)]
pub struct Scenario {
    /// Its word on the command line, in tests and docs.
    pub name: &'static str,
    /// What happens, in one line.
    pub about: &'static str,
    /// How the node masquerades.
    pub masquerade: Masquerade,
    /// Whether connections go through services even where the rules do not ask for it.
    pub services: bool,
    /// What the provider's filter lets through.
    pub filter: Filter,
    /// The policy that the capture is given.
    pub allow: &'static str,
    /// Family of the connections.
    pub family: Family,
    /// SYNs come from a raw socket instead of the kernel's TCP.
    pub raw: bool,
    /// The n-th chain: connections that follow one another, to one destination.
    pub chain: fn(u32) -> Vec<Step>,
    /// What is broken besides, once everything is set up.
    pub prepare: fn(&Net, Family) -> Result<()>,
    /// The destination of the n-th chain where there are no services.
    pub destination: fn(&Net, Family, u32) -> SocketAddr,
    /// Connections are made two at a time, at the same moment, from the same port of both pods.
    pub pairs: bool,
    /// What the capture must say.
    pub expect: Expect,
}

/// What the capture must say.
#[derive(Clone, Copy, Debug)]
pub enum Expect {
    /// Flagged is what failed, no more and no less.
    FailedAreFlagged,
    /// Nothing is flagged, even if something fails.
    NothingFlagged,
    /// Each connection that failed or whose SYN was sent again has the cause that its destination makes.
    Causes(fn(&Net, SocketAddr) -> &'static str),
}

/// One connection of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Where its socket is.
    pub from: Place,
    /// Its source port; `None` lets the kernel choose.
    pub src_port: Option<u16>,
    /// How it is closed when it worked.
    pub close: Close,
    /// Whether its translated port is a new random draw, so that it counts for the share.
    pub drawn: bool,
}

/// Where a socket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In this pod, counted from 0.
    Pod(u32),
    /// On the node itself.
    Node,
}

/// How a connection that worked is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Close {
    /// As usual.
    Fin,
    /// By an RST of the server: the source port is free at once, the conntrack entry lives on for 10 s.
    ResetByServer,
    /// Not before all others are over.
    Hold,
}

impl Step {
    /// A connection from the first pod, its port chosen by the pod's kernel, its translated port by chance.
    pub const RANDOM: Self = Self { from: Place::Pod(0), src_port: None, close: Close::Fin, drawn: true };
}

impl Scenario {
    /// What most scenarios are variations of: the failure as people meet it.
    pub const USUAL: Self = Self {
        name: "",
        about: "",
        masquerade: Masquerade::FullyRandom,
        services: false,
        filter: Filter::USUAL,
        allow: "32768-65535",
        family: Family::V4,
        raw: false,
        chain: |_| vec![Step::RANDOM],
        prepare: |_, _| Ok(()),
        destination: Net::destination,
        pairs: false,
        expect: Expect::FailedAreFlagged,
    };

    /// What scenarios about other causes are variations of: no filter, every port is allowed.
    pub const UNFILTERED: Self = Self {
        filter: Filter { passes: (1, 65535), ..Filter::USUAL },
        allow: "any",
        chain: |_| vec![Step { drawn: false, ..Step::RANDOM }],
        ..Self::USUAL
    };

    /// The same over IPv6, where the filter looks at IPv6.
    #[must_use]
    pub const fn over_ipv6(&self) -> Self {
        Self { family: Family::V6, filter: Filter { ipv6: true, ..self.filter }, ..*self }
    }

    /// The share of random draws whose answers the filter drops, exactly.
    #[must_use]
    pub fn share_failing(&self) -> f64 {
        if !self.filter.applies_to(self.family) {
            return 0.0;
        }
        let (low, high) = self.filter.passes;
        // Every source port in the lab is above 1023.
        law::share_outside(&law::default_range(u16::MAX), |port| (low..=high).contains(&port))
    }
}

/// Every scenario, in the order of `--list`.
pub const ALL: &[&Scenario] = &[
    &fully_random::SCENARIO,
    &preserved::SCENARIO,
    &preserved_clash::SCENARIO,
    &ports_fixed::SCENARIO,
    &filter_fixed::SCENARIO,
    &ipv6::FILTERED,
    &ipv6::UNFILTERED,
    &host::SCENARIO,
    &service::SCENARIO,
    &forwarded::SCENARIO,
    &other_range::SCENARIO,
    &reused_port::SCENARIO,
    &port_out_of_range::SCENARIO,
    &refused::SCENARIO,
    &unreachable::SCENARIO,
    &insert_race::SCENARIO,
    &port_exhausted::SCENARIO,
    &conntrack_full::SCENARIO,
    &dropped_here::SCENARIO,
    &reply_stolen::SCENARIO,
    &reply_dropped_here::SCENARIO,
    &not_translated::SCENARIO,
    &no_answer::SCENARIO,
    &loss::SCENARIO,
    &unknown::SCENARIO,
    &mixed::SCENARIO,
    &mixed::FILTERED,
];

/// The scenario of this name.
///
/// # Errors
/// When there is none; the message lists those that there are.
pub fn find(name: &str) -> Result<&'static Scenario> {
    let Some(scenario) = ALL.iter().find(|scenario| scenario.name == name) else {
        let names: Vec<_> = ALL.iter().map(|scenario| scenario.name).collect();
        bail!("there is no scenario {name}: choose one of {}", names.join(", "));
    };
    Ok(scenario)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_are_unique_and_every_scenario_says_what_happens() {
        let names: HashSet<_> = ALL.iter().map(|scenario| scenario.name).collect();
        assert_eq!(names.len(), ALL.len());
        assert!(ALL.iter().all(|scenario| !scenario.name.is_empty() && !scenario.about.is_empty()));
    }

    #[test]
    fn every_cause_has_a_scenario_of_its_stem() {
        for cause in snatrace::causes::ALL {
            assert!(ALL.iter().any(|scenario| scenario.name == cause.id), "no scenario {}", cause.id);
        }
    }

    #[test]
    fn every_scenario_is_in_the_docs() {
        let docs = include_str!("../../../../docs/lab.md");
        for scenario in ALL {
            assert!(docs.contains(&format!("| `{}` |", scenario.name)), "{} has no row in docs/lab.md", scenario.name);
        }
    }

    #[test]
    fn every_chain_has_connections() {
        assert!(ALL.iter().all(|scenario| (0..100).all(|index| !(scenario.chain)(index).is_empty())));
    }

    #[test]
    fn raw_connections_name_their_source_port() {
        for scenario in ALL.iter().filter(|scenario| scenario.raw) {
            assert!((scenario.chain)(3).iter().all(|step| step.src_port.is_some()), "{}", scenario.name);
        }
    }

    #[test]
    fn expected_shares_are_those_of_the_law() {
        let share = |name| find(name).unwrap().share_failing();
        assert!((share("fully_random") - 0.5).abs() < 1e-9);
        assert!((share("other_range") - (1.0 - 10000.0 / 65536.0)).abs() < 1e-9);
        assert!(share("filter_fixed") == 0.0 && share("ipv6_unfiltered") == 0.0);
    }

    #[test]
    fn unknown_scenario_is_answered_with_the_known_ones() {
        let error = find("no_such").err().unwrap().to_string();
        assert!(error.contains("no_such") && error.contains("preserved_clash"));
    }
}
