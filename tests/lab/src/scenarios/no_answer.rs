//! `no_answer`: the server drops SYNs, like a machine that is down or whose firewall drops.

use anyhow::Result;

use crate::faults;
use crate::net::{Family, Net};
use crate::scenario::{Expect, Scenario};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "no_answer",
    about: "the server drops SYNs: every connection fails, whatever its port",
    prepare: |net, _| faults::rule(&net.server_ns(), "input", 0, "tcp flags & syn == syn drop"),
    expect: Expect::Causes(|_, _| "no_answer"),
    ..Scenario::UNFILTERED
};

/// One server only.
pub(super) fn swallow(net: &Net, family: Family, index: u32) -> Result<()> {
    let rule = format!("{} daddr {} tcp flags & syn == syn drop", family.nft(), net.server(family, index));
    faults::rule(&net.server_ns(), "input", 0, &rule)
}
