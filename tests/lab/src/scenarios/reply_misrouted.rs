//! `reply_misrouted`: a rule sends return traffic out of the uplink again, as where the route to the pods is missing. No cause has this name.

use anyhow::Result;

use crate::command::ip_batch_of;
use crate::net::{Family, Net};
use crate::scenario::{Expect, Scenario};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "reply_misrouted",
    about: "return traffic leaves the node by the uplink again: its route leads to the outside",
    prepare,
    expect: Expect::Causes(|_, _| "unknown"),
    ..Scenario::UNFILTERED
};

fn prepare(net: &Net, family: Family) -> Result<()> {
    let lines = [
        "rule add pref 90 iif eth0 lookup 100".to_owned(),
        format!("route replace default via {} dev eth0 table 100", net.router(family)),
    ];
    ip_batch_of(family, &net.node_ns(), &lines)
}
