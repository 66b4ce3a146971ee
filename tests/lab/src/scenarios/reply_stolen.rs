//! `reply_stolen`: NAT chooses ports that the node takes for its own NodePorts before conntrack sees the answers.
//!
//! A notrack rule stands for what does this in clusters: a load balancer in eBPF or XDP that looks at the port only.

use anyhow::Result;

use crate::faults;
use crate::masquerade::Masquerade;
use crate::net::{Family, Net};
use crate::scenario::{Expect, Scenario};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "reply_stolen",
    about: "NAT chooses NodePorts, which the node takes for itself: the answers never reach the pod",
    masquerade: Masquerade::Ports(30000, 32767),
    prepare,
    expect: Expect::Causes(|_, _| "reply_stolen"),
    ..Scenario::UNFILTERED
};

fn prepare(net: &Net, _family: Family) -> Result<()> {
    faults::rule(&net.node_ns(), "prerouting", -350, "iifname \"eth0\" tcp dport 30000-32767 notrack")
}
