//! What a scenario is: the network's rules, the connections made in it, what breaks, and what a capture must report.

use std::net::SocketAddr;

use anyhow::Result;
use snatrace::model::port_distribution;

use crate::filter::Filter;
use crate::masquerade::Masquerade;
use crate::net::{Family, Net};

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
        port_distribution::share_outside(&port_distribution::default_range(u16::MAX), |port| {
            (low..=high).contains(&port)
        })
    }
}
