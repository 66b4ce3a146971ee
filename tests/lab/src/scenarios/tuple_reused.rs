//! `tuple_reused`: the server still holds a connection whose conntrack entry the node has lost, and another pod gets the same tuple.
//!
//! An established entry expires at once here, as it does later on nodes that restart or shorten their timeouts. The server answers
//! the new SYN with a challenge ACK. The router drops the RSTs that would end the old connection.

use anyhow::Result;

use crate::faults;
use crate::masquerade::Masquerade;
use crate::net::{Family, Net};
use crate::netns;
use crate::scenario::{Close, Expect, Place, Scenario, Step};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "tuple_reused",
    about: "the node forgets established connections, and another pod gets their source port: the server answers for the old ones",
    masquerade: Masquerade::Plain,
    chain,
    prepare,
    expect: Expect::Causes(|_, _| "tuple_reused"),
    ..Scenario::UNFILTERED
};

fn chain(index: u32) -> Vec<Step> {
    let src_port = u16::try_from(20000 + index % 40000).ok();
    let first = Step { src_port, close: Close::Hold, drawn: false, ..Step::RANDOM };
    vec![first, Step { from: Place::Pod(1), close: Close::Fin, ..first }]
}

fn prepare(net: &Net, _family: Family) -> Result<()> {
    netns::set_sysctl(&net.node_ns(), "net/netfilter/nf_conntrack_tcp_timeout_established", "0")?;
    faults::rule(&net.router_ns(), "forward", 0, "iifname \"node0\" tcp flags & rst == rst drop")
}
