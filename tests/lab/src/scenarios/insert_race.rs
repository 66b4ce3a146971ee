//! `insert_race`: two pods connect from the same port to one destination at the same moment.
//!
//! Plain masquerade keeps the port of both, because neither entry is confirmed when the kernel looks up the other's port. The packet
//! that is confirmed second is dropped. Many rules after NAT make the race likely, as in large clusters.

use anyhow::Result;

use crate::faults;
use crate::masquerade::Masquerade;
use crate::net::{Family, Net};
use crate::scenario::{Expect, Place, Scenario, Step};

/// Rules that a SYN passes between port selection and confirmation, about 10 ns each: this many jumps to a chain of this many rules.
const JUMPS: usize = 64;
const RULES: usize = 2000;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "insert_race",
    about: "plain masquerade, both pods connect from the same port at the same moment: the later one is dropped once",
    masquerade: Masquerade::Plain,
    chain: pair,
    prepare,
    pairs: true,
    expect: Expect::Causes(|_, _| "insert_race"),
    ..Scenario::UNFILTERED
};

fn pair(index: u32) -> Vec<Step> {
    let src_port = u16::try_from(20000 + index % 40000).ok();
    let first = Step { src_port, drawn: false, ..Step::RANDOM };
    vec![first, Step { from: Place::Pod(1), ..first }]
}

fn prepare(net: &Net, _family: Family) -> Result<()> {
    let jumps = vec!["tcp flags & (syn | ack) == syn jump many"; JUMPS].join("\n");
    faults::chains(&net.node_ns(), "postrouting", 250, &jumps, &[("many", &vec!["tcp sport 1"; RULES].join("\n"))])
}
