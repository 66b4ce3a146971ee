//! `reply_dropped_here`: strict rp_filter on the uplink, and by its check another way back to the server than it came.

use anyhow::Result;

use super::{Expect, Scenario};
use crate::lab::command::ip_batch;
use crate::lab::net::{Family, Net};
use crate::lab::{faults, netns};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "reply_dropped_here",
    about: "rp_filter=1 and an asymmetric route: the node drops every answer",
    prepare: |net| (0..16).try_for_each(|index| asymmetric(net, index)),
    expect: Expect::Causes(|_, _| "reply_dropped_here"),
    ..Scenario::UNFILTERED
};

/// What pods send is marked and routed by its mark. The check of an answer's source knows no mark, so by it the server is on the
/// side of the pods (`src_valid_mark` is off, as it is unless somebody switched it on).
pub(super) fn asymmetric(net: &Net, index: u32) -> Result<()> {
    let (node, server) = (net.node_ns(), net.server(Family::V4, index));
    netns::set_sysctl(&node, "net/ipv4/conf/eth0/rp_filter", "1")?;
    let mark = format!("iifname \"cni0\" ip daddr {server} meta mark set 0x10000");
    faults::rule(&node, "prerouting", -150, &mark)?;
    let to = format!("{server}/32");
    let lines = [
        format!("rule add pref 90 fwmark 0x10000 to {to} lookup main"),
        format!("rule add pref 91 iif cni0 to {to} lookup 100"),
        "route replace default dev cni0 table 100".to_owned(),
    ];
    ip_batch(&node, &lines)
}
