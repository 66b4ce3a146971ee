//! `reset_ports`: a firewall on the path rejects SYNs from low ports with an RST. The RST does not show that the path passes those ports.

use crate::faults;
use crate::scenario::{Expect, Scenario};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "reset_ports",
    about: "a firewall rejects SYNs from ports below 32768 with an RST, and the same servers accept the others",
    allow: Scenario::USUAL.allow,
    prepare: |net, _| {
        let syn = "tcp flags & (syn | ack) == syn";
        faults::rule(&net.router_ns(), "forward", 0, &format!("{syn} tcp sport 1-32767 reject with tcp reset"))
    },
    expect: Expect::Causes(|_, _| "refused"),
    ..Scenario::UNFILTERED
};
