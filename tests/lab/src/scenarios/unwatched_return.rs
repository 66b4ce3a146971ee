//! `unwatched_return`: return traffic arrives at an interface that is not watched, and the path loses half of the SYNs.

use anyhow::Result;

use crate::command::ip_batch;
use crate::net::{Family, Net};
use crate::scenario::{Expect, Scenario};
use crate::{faults, netns};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "unwatched_return",
    about: "return traffic arrives at another interface than the uplink: what is lost on the way out has no answer",
    allow: Scenario::USUAL.allow,
    prepare,
    expect: Expect::Causes(|_, _| "no_answer"),
    ..Scenario::UNFILTERED
};

fn prepare(net: &Net, family: Family) -> Result<()> {
    let (node, router) = (net.node_ns(), net.router_ns());
    let lines = [format!("link add back0 type veth peer name back0 netns {router}"), "link set back0 up".to_owned()];
    ip_batch(&node, &lines)?;
    if family == Family::V4 {
        for interface in ["all", "eth0", "back0"] {
            netns::set_sysctl(&node, &format!("net/ipv4/conf/{interface}/rp_filter"), "0")?;
        }
    }
    let address = net.node(family);
    let lines = ["link set back0 up".to_owned(), format!("route add {address}/{} dev back0", family.host_length())];
    ip_batch(&router, &lines)?;
    faults::rule(&router, "forward", 0, "tcp flags & (syn | ack) == syn numgen random mod 2 == 0 drop")
}
