//! `loss`: the path loses half of the SYNs. Most connections work, but late.

use crate::faults;
use crate::scenario::{Expect, Scenario};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "loss",
    about: "the path loses half of the SYNs at random: no_answer, and most connections succeed with a later SYN",
    prepare: |net, _| {
        faults::rule(&net.router_ns(), "forward", 0, "tcp flags & (syn | ack) == syn numgen random mod 2 == 0 drop")
    },
    expect: Expect::Causes(|_, _| "no_answer"),
    ..Scenario::UNFILTERED
};
