//! `reply_dropped_here`: strict rp_filter on the uplink, whose check finds another route back to the server than the uplink.

use anyhow::Result;

use crate::command::ip_batch_of;
use crate::net::{Family, Net};
use crate::scenario::{Expect, Scenario};
use crate::{faults, netns};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "reply_dropped_here",
    about: "rp_filter=1 and an asymmetric route: the node drops all return traffic",
    prepare: |net, family| (0..16).try_for_each(|index| asymmetric(net, family, index)),
    expect: Expect::Causes(|_, _| "reply_dropped_here"),
    ..Scenario::UNFILTERED
};

/// Packets from pods are marked and routed by their mark. The check of a reply's source ignores marks (`src_valid_mark` is off by
/// default), so it looks for the server on the side of the pods.
pub(super) fn asymmetric(net: &Net, family: Family, index: u32) -> Result<()> {
    let (node, server) = (net.node_ns(), net.server(family, index));
    let mark = format!("iifname \"cni0\" {} daddr {server} meta mark set 0x10000", family.nft());
    faults::rule(&node, "prerouting", -150, &mark)?;
    check_source(&node, family)?;
    let to = format!("{server}/{}", family.host_length());
    // The kernel's check looks up a route for a packet from the pods, the check of nft one for a packet of the node.
    let from = match family {
        Family::V4 => "iif cni0 ",
        Family::V6 => "",
    };
    let lines = [
        format!("rule add pref 90 fwmark 0x10000 to {to} lookup main"),
        format!("rule add pref 91 {from}to {to} lookup 100"),
        "route replace default dev cni0 table 100".to_owned(),
    ];
    ip_batch_of(family, &node, &lines)
}

/// IPv6 has no rp_filter; firewalls use a rule instead, such as `IPv6_rpfilter` of firewalld.
fn check_source(node: &str, family: Family) -> Result<()> {
    match family {
        Family::V4 => netns::set_sysctl(node, "net/ipv4/conf/eth0/rp_filter", "1"),
        Family::V6 => {
            faults::rule(node, "prerouting", -290, "iifname \"eth0\" meta l4proto tcp fib saddr . iif oif missing drop")
        }
    }
}
