//! `dropped_here`: the node drops SYNs in four places: before NAT, after NAT, without a neighbour, on the interface.

use anyhow::Result;

use crate::net::{Family, Net};
use crate::scenario::{Expect, Scenario};
use crate::{command, faults, netns};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "dropped_here",
    about: "the node drops SYNs itself: in FORWARD, after NAT, for a dead neighbour, on the interface",
    prepare,
    expect: Expect::Causes(|_, _| "dropped_here"),
    ..Scenario::UNFILTERED
};

fn prepare(net: &Net, family: Family) -> Result<()> {
    let node = net.node_ns();
    let drop = |first| format!("{} daddr {} drop", family.nft(), servers(net, family, first));
    faults::rule(&node, "forward", 10, &drop(0))?;
    faults::rule(&node, "postrouting", 250, &drop(4))?;
    (8..12).try_for_each(|index| dead_neighbour(net, family, index))?;
    faults::rule(&node, "output", 0, keep_errors(family))?;
    let last = drop(12);
    // Kernels before 5.16 have no netfilter egress hook.
    faults::egress_rule(&node, &last).or_else(|_| faults::rule(&node, "forward", 20, &last))
}

/// Four of the servers, as nft names a set.
fn servers(net: &Net, family: Family, first: u32) -> String {
    let servers: Vec<_> = (first..first + 4).map(|index| net.server(family, index).to_string()).collect();
    format!("{{ {} }}", servers.join(", "))
}

/// The node sends no ICMP error about the dead neighbour, as behind a firewall that drops ICMP, so clients go on trying. With ICMP errors, all of one
/// neighbour would be over in the same moment, and the kernel may skip a tracepoint's program in just that.
const fn keep_errors(family: Family) -> &'static str {
    match family {
        Family::V4 => "icmp type destination-unreachable drop",
        Family::V6 => "icmpv6 type destination-unreachable drop",
    }
}

/// The next hop to a server does not exist; after 0.6 s the node gives up to ask for it.
fn dead_neighbour(net: &Net, family: Family, index: u32) -> Result<()> {
    let (node, server) = (net.node_ns(), net.server(family, index));
    netns::set_sysctl(&node, &format!("net/{}/neigh/eth0/retrans_time_ms", family.sysctl()), "200")?;
    let (via, to) = (net.no_router(family).to_string(), format!("{server}/{}", family.host_length()));
    command::run("ip", &["-n", &node, "route", "add", &to, "via", &via, "dev", "eth0"], "").map(drop)
}
