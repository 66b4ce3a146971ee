//! What a scenario is: the network's rules, the connections made in it, what breaks, and what a capture must report.

use std::net::SocketAddr;

use anyhow::Result;
use snatrace::model::port_distribution;

use crate::filter::Filter;
use crate::masquerade::Masquerade;
use crate::net::{Family, Net};

/// One network with its connections, and what a capture must report of them.
#[derive(Clone, Copy)]
pub struct Scenario {
    /// Its name on the command line, in tests and docs.
    pub name: &'static str,
    /// What happens, in one line.
    pub about: &'static str,
    /// How the node masquerades.
    pub masquerade: Masquerade,
    /// Whether connections go through services with every rule set.
    pub services: bool,
    /// The provider's filter.
    pub filter: Filter,
    /// The policy that the capture is given.
    pub allow: &'static str,
    /// Family of the connections.
    pub family: Family,
    /// SYNs come from a raw socket instead of the kernel's TCP.
    pub raw: bool,
    /// The n-th chain: connections that follow one another, to one destination.
    pub chain: fn(u32) -> Vec<Step>,
    /// Breaks something in the network once the network is up.
    pub prepare: fn(&Net, Family) -> Result<()>,
    /// The destination of the n-th chain when it goes through no service.
    pub destination: fn(&Net, Family, u32) -> SocketAddr,
    /// Connections are made two at a time, at the same moment, from the same port of both pods.
    pub pairs: bool,
    /// What the capture must report.
    pub expect: Expect,
}

/// What the capture must report.
#[derive(Clone, Copy, Debug)]
pub enum Expect {
    /// Exactly the connections that failed are flagged.
    FailedAreFlagged,
    /// Nothing is flagged, even if something fails.
    NothingFlagged,
    /// Exactly the connections that failed or retransmitted their SYN have a cause: the one that their destination makes.
    Causes(fn(&Net, SocketAddr) -> &'static str),
}

/// One connection of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Where its socket is.
    pub from: Place,
    /// Its source port; `None` lets the kernel choose.
    pub src_port: Option<u16>,
    /// How it is closed once it is established.
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

/// How an established connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Close {
    /// By a FIN.
    Fin,
    /// By an RST of the server: the source port is free at once, the conntrack entry lives on for 10 s.
    ResetByServer,
    /// After all other connections have ended.
    Hold,
}

impl Step {
    /// A connection from the first pod, with a source port that the kernel chooses and a translated port that is drawn at random.
    pub const RANDOM: Self = Self { from: Place::Pod(0), src_port: None, close: Close::Fin, drawn: true };
}

impl Scenario {
    /// The failure as users meet it, which most scenarios vary.
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

    /// No filter, every port allowed: scenarios about other causes vary this.
    pub const UNFILTERED: Self = Self {
        filter: Filter { passes: (1, 65535), ..Filter::USUAL },
        allow: "any",
        chain: |_| vec![Step { drawn: false, ..Step::RANDOM }],
        ..Self::USUAL
    };

    /// The scenario over IPv6, with a filter that filters IPv6.
    pub const fn over_ipv6(&self) -> Self {
        Self { family: Family::V6, filter: Filter { ipv6: true, ..self.filter }, ..*self }
    }

    /// The exact share of random draws whose return traffic the filter drops.
    pub fn share_failing(&self) -> f64 {
        if !self.filter.applies_to(self.family) {
            return 0.0;
        }
        let (low, high) = self.filter.passes;
        // Every source port in the lab is above 1023.
        port_distribution::share_outside(&port_distribution::default_range(u16::MAX), |port| {
            (low..=high).contains(&port)
        })
    }
}
