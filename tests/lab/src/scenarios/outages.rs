//! `outages`: the path loses SYNs in bursts, under a policy that half of the ports are outside of. No filter is blamed for what fails.

use crate::faults;
use crate::scenario::{Expect, Scenario};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "outages",
    about: "short outages of the path, whatever the port: no_answer, and no filter is blamed",
    allow: Scenario::USUAL.allow,
    prepare: |net, _| {
        let rule = "tcp flags & (syn | ack) == syn numgen inc mod 60 < 30 drop";
        faults::rule(&net.router_ns(), "forward", 0, rule)
    },
    expect: Expect::Causes(|_, _| "no_answer"),
    ..Scenario::UNFILTERED
};
