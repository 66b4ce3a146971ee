//! `syn_option_dropped`: a device on the path drops SYNs that ask for ECN. The retransmit asks for nothing and gets through.

use anyhow::Result;

use crate::faults;
use crate::net::{Family, Net, PODS};
use crate::netns;
use crate::scenario::{Expect, Scenario};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "syn_option_dropped",
    about: "pods ask for ECN, and the path drops such SYNs: each connection succeeds with its first retransmit",
    prepare,
    expect: Expect::Causes(|_, _| "syn_option_dropped"),
    ..Scenario::UNFILTERED
};

fn prepare(net: &Net, _family: Family) -> Result<()> {
    // The setting is one for both families.
    (0..PODS).try_for_each(|pod| netns::set_sysctl(&net.pod_ns(pod), "net/ipv4/tcp_ecn", "1"))?;
    let ecn = "tcp flags & (syn | ack | ecn | cwr) == (syn | ecn | cwr) drop";
    faults::rule(&net.router_ns(), "forward", 0, ecn)
}
