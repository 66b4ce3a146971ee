//! `reply_dropped_here`: strict rp_filter on the uplink, and another way back to the server than it came.

use anyhow::Result;

use super::{Expect, Scenario};
use crate::lab::net::{Family, Net};
use crate::lab::{command, netns};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "reply_dropped_here",
    about: "rp_filter=1 and an asymmetric route: the node drops every answer",
    prepare: |net| (0..16).try_for_each(|index| asymmetric(net, index)),
    expect: Expect::Causes(|_, _| "reply_dropped_here"),
    ..Scenario::UNFILTERED
};

/// Where an answer is checked, the server seems to be on the side of the pods; SYNs on their way do not come this rule.
pub(super) fn asymmetric(net: &Net, index: u32) -> Result<()> {
    let (node, server) = (net.node_ns(), format!("{}/32", net.server(Family::V4, index)));
    netns::set_sysctl(&node, "net/ipv4/conf/eth0/rp_filter", "1")?;
    let rule = ["-n", &node, "rule", "add", "iif", "lo", "to", &server, "lookup", "100"];
    command::run("ip", &rule, "")?;
    command::run("ip", &["-n", &node, "route", "replace", "default", "dev", "cni0", "table", "100"], "").map(drop)
}
