//! `mixed` and `mixed_filtered`: several causes at once, one for each destination, among connections that succeed.

use std::net::SocketAddr;

use anyhow::Result;

use super::{no_answer, reply_dropped_here, unreachable};
use crate::faults;
use crate::net::{CLOSED_PORT, Family, Net, PORTS};
use crate::scenario::{Expect, Scenario};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "mixed",
    about: "refused, unreachable, dropped_here, no_answer and reply_dropped_here at once, one in six works",
    prepare: |net, family| {
        unreachable::prepare(net, family)?;
        drop_in_forward(net, family, DROPPED)?;
        no_answer::swallow(net, family, DEAD)?;
        reply_dropped_here::asymmetric(net, family, ASYMMETRIC)
    },
    destination: |net, family, index| match index % 6 {
        0 => SocketAddr::new(net.server(family, 0), PORTS[0]),
        1 => SocketAddr::new(net.server(family, 0), CLOSED_PORT),
        2 => SocketAddr::new(net.nowhere(family, 0), PORTS[0]),
        3 => SocketAddr::new(net.server(family, DROPPED), PORTS[0]),
        4 => SocketAddr::new(net.server(family, DEAD), PORTS[0]),
        _ => SocketAddr::new(net.server(family, ASYMMETRIC), PORTS[0]),
    },
    expect: Expect::Causes(cause),
    ..Scenario::UNFILTERED
};

pub(super) const FILTERED: Scenario = Scenario {
    name: "mixed_filtered",
    about: "half of the destinations are dropped by the node, the others answer through the filter",
    // Half of the connections never reach the filter, so their share proves nothing.
    chain: Scenario::UNFILTERED.chain,
    prepare: |net, family| drop_in_forward(net, family, DROPPED),
    destination: |net, family, index| {
        SocketAddr::new(net.server(family, if index % 2 == 0 { 0 } else { DROPPED }), PORTS[index as usize / 2 % 4])
    },
    expect: Expect::Causes(|net, dst| {
        if dst.ip() == net.server(Family::of(dst.ip()), DROPPED) { "dropped_here" } else { "port_out_of_range" }
    }),
    ..Scenario::USUAL
};

/// Servers by what happens to their connections.
const DROPPED: u32 = 1;
const DEAD: u32 = 2;
const ASYMMETRIC: u32 = 3;

fn drop_in_forward(net: &Net, family: Family, index: u32) -> Result<()> {
    let rule = format!("{} daddr {} drop", family.nft(), net.server(family, index));
    faults::rule(&net.node_ns(), "forward", 10, &rule)
}

fn cause(net: &Net, dst: SocketAddr) -> &'static str {
    let family = Family::of(dst.ip());
    let is = |index| dst.ip() == net.server(family, index);
    match () {
        () if dst.port() == CLOSED_PORT => "refused",
        () if dst.ip() == net.nowhere(family, 0) => "unreachable",
        () if is(DROPPED) => "dropped_here",
        () if is(DEAD) => "no_answer",
        () if is(ASYMMETRIC) => "reply_dropped_here",
        () => "nothing is wrong there",
    }
}
