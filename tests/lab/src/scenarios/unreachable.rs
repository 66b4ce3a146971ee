//! `unreachable`: the router has no way to the destination and says so by ICMP.

use std::net::SocketAddr;

use anyhow::Result;

use crate::net::{Family, Net, PORTS};
use crate::scenario::{Expect, Scenario};
use crate::{command, faults, netns};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "unreachable",
    about: "a network that the router cannot deliver to: it answers with ICMP",
    prepare,
    destination: |net, family, index| SocketAddr::new(net.nowhere(family, index), PORTS[0]),
    expect: Expect::Causes(|_, _| "unreachable"),
    ..Scenario::UNFILTERED
};

pub(super) fn prepare(net: &Net, family: Family) -> Result<()> {
    // All of them come at once here; a router limits its errors to one a second for each destination. A mask of what is
    // limited lifts the limit for all destinations too; that of ICMPv6 is a list of types, and 200 is none that is used.
    let (mask, limit, none, reject) = match family {
        Family::V4 => ("ipv4/icmp_ratemask", "ipv4/icmp_ratelimit", "0", "icmp type host-unreachable"),
        Family::V6 => ("ipv6/icmp/ratemask", "ipv6/icmp/ratelimit", "200", "icmpv6 type addr-unreachable"),
    };
    netns::set_sysctl(&net.router_ns(), &format!("net/{mask}"), none)?;
    netns::set_sysctl(&net.router_ns(), &format!("net/{limit}"), "0")?;
    // Without a route the kernel answers too, but with a limit that cannot be lifted.
    let nowhere = net.nowhere_net(family);
    command::run("ip", &["-n", &net.router_ns(), "route", "add", &nowhere, "dev", "server0"], "")?;
    let rule = format!("{} daddr {nowhere} reject with {reject}", family.nft());
    faults::rule(&net.router_ns(), "forward", 0, &rule)
}
