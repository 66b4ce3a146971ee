//! `pod_firewall`: a pod's own firewall drops return traffic. The pod's namespace is behind the one that is watched.

use crate::faults;
use crate::scenario::{Expect, Scenario};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "pod_firewall",
    about: "a firewall in the pod drops all return traffic",
    prepare: |net, _| faults::rule(&net.pod_ns(0), "input", 0, "tcp flags & (syn | ack) == (syn | ack) drop"),
    expect: Expect::Causes(|_, _| "reply_dropped_here"),
    ..Scenario::UNFILTERED
};
