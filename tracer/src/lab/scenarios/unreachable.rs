//! `unreachable`: the router has no way to the destination and says so by ICMP.

use std::net::SocketAddr;

use anyhow::Result;

use super::{Expect, Scenario};
use crate::lab::net::{Family, Net, PORTS};
use crate::lab::{command, faults, netns};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "unreachable",
    about: "a network that the router cannot deliver to: it answers with ICMP host unreachable",
    prepare,
    destination: |net, family, index| SocketAddr::new(net.nowhere(family, index), PORTS[0]),
    expect: Expect::Causes(|_, _| "unreachable"),
    ..Scenario::UNFILTERED
};

pub(super) fn prepare(net: &Net) -> Result<()> {
    // All of them come at once here; a router limits its errors to one a second for each destination.
    netns::set_sysctl(&net.router_ns(), "net/ipv4/icmp_ratemask", "0")?;
    netns::set_sysctl(&net.router_ns(), "net/ipv4/icmp_ratelimit", "0")?;
    // Without a route the kernel answers too, but with a limit that cannot be lifted.
    let nowhere = net.nowhere_net(Family::V4);
    command::run("ip", &["-n", &net.router_ns(), "route", "add", &nowhere, "dev", "server0"], "")?;
    let rule = format!("ip daddr {nowhere} reject with icmp type host-unreachable");
    faults::rule(&net.router_ns(), "forward", 0, &rule)
}
