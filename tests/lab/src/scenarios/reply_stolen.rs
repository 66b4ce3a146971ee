//! `reply_stolen`: NAT selects ports that the node treats as its NodePorts before conntrack sees the return traffic.
//!
//! A notrack rule stands for the load balancer in eBPF or XDP that does this in clusters and matches by port only.

use anyhow::Result;

use crate::faults;
use crate::masquerade::Masquerade;
use crate::net::{Family, Net};
use crate::scenario::{Expect, Scenario};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "reply_stolen",
    about: "NAT selects NodePorts, whose return traffic the node takes for its own: replies never reach the pod",
    masquerade: Masquerade::Ports(30000, 32767),
    prepare,
    expect: Expect::Causes(|_, _| "reply_stolen"),
    ..Scenario::UNFILTERED
};

fn prepare(net: &Net, _family: Family) -> Result<()> {
    faults::rule(&net.node_ns(), "prerouting", -350, "iifname \"eth0\" tcp dport 30000-32767 notrack")
}
