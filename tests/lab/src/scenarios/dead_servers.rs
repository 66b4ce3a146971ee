//! `dead_servers` and `one_dead`: servers that swallow SYNs are not blamed on a filter, where there is none and where there is one.

use std::net::SocketAddr;

use super::no_answer;
use crate::net::{Family, PORTS};
use crate::scenario::{Expect, Scenario};

pub(super) const ALL_DEAD: Scenario = Scenario {
    name: "dead_servers",
    about: "as no_answer, under a policy that half of the ports are outside of",
    allow: Scenario::USUAL.allow,
    ..no_answer::SCENARIO
};

pub(super) const ONE_DEAD: Scenario = Scenario {
    name: "one_dead",
    about: "half of the connections go to a dead server, the others through the filter",
    // Half of the ports that are drawn never meet the filter, so the share says nothing.
    chain: Scenario::UNFILTERED.chain,
    prepare: |net, family| no_answer::swallow(net, family, DEAD),
    destination: |net, family, index| {
        let alive = (net.server(family, 0), PORTS[index as usize / 2 % 4]);
        SocketAddr::from(if index % 2 == 0 { alive } else { (net.server(family, DEAD), PORTS[0]) })
    },
    expect: Expect::Causes(|net, dst| {
        if dst.ip() == net.server(Family::of(dst.ip()), DEAD) { "no_answer" } else { "port_out_of_range" }
    }),
    ..Scenario::USUAL
};

/// Which server is dead.
const DEAD: u32 = 1;
