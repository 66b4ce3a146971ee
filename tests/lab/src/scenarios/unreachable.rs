//! `unreachable`: the router has no route to the destination and answers with ICMP.

use std::net::SocketAddr;

use anyhow::Result;

use crate::net::{Family, Net, PORTS};
use crate::scenario::{Expect, Scenario};
use crate::{command, faults, netns};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "unreachable",
    about: "a network to which the router has no route: the router answers with ICMP",
    prepare,
    destination: |net, family, index| SocketAddr::new(net.nowhere(family, index), PORTS[0]),
    expect: Expect::Causes(|_, _| "unreachable"),
    ..Scenario::UNFILTERED
};

pub(super) fn prepare(net: &Net, family: Family) -> Result<()> {
    // By default a router sends one ICMP error per second and destination, and here all connections come at once. The mask of limited
    // types lifts the limit; for ICMPv6 the mask is a list of types, of which 200 is unused.
    let (mask, limit, none, reject) = match family {
        Family::V4 => ("ipv4/icmp_ratemask", "ipv4/icmp_ratelimit", "0", "icmp type host-unreachable"),
        Family::V6 => ("ipv6/icmp/ratemask", "ipv6/icmp/ratelimit", "200", "icmpv6 type addr-unreachable"),
    };
    netns::set_sysctl(&net.router_ns(), &format!("net/{mask}"), none)?;
    netns::set_sysctl(&net.router_ns(), &format!("net/{limit}"), "0")?;
    // The kernel also answers where it has no route, but with a limit that cannot be lifted.
    let nowhere = net.nowhere_net(family);
    command::run("ip", &["-n", &net.router_ns(), "route", "add", &nowhere, "dev", "server0"], "")?;
    let rule = format!("{} daddr {nowhere} reject with {reject}", family.nft());
    faults::rule(&net.router_ns(), "forward", 0, &rule)
}
