//! `entry_missing`: return traffic finds no conntrack entry, as where the entry was deleted or has timed out. A conntrack zone of its own stands
//! for that.

use crate::faults;
use crate::scenario::{Expect, Scenario};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "entry_missing",
    about: "return traffic finds no conntrack entry: nothing translates it back, and the node takes it for its own",
    prepare: |net, _| faults::rule(&net.node_ns(), "prerouting", -350, "iifname \"eth0\" ct zone set 5"),
    expect: Expect::Causes(|_, _| "reply_dropped_here"),
    ..Scenario::UNFILTERED
};
