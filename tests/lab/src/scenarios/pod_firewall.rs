//! `pod_firewall`: a pod's own firewall drops return traffic. The pod's namespace is behind the one that is watched.

use crate::faults;
use crate::scenario::{Expect, Place, Scenario, Step};

/// Of drops in namespaces behind the watched one at most 100 a second and processor are reported.
const FROM_POD: u32 = 16;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "pod_firewall",
    about: "a firewall in the pod drops all return traffic",
    chain: |index| {
        let from = if index < FROM_POD { Place::Pod(0) } else { Place::Node };
        vec![Step { from, drawn: false, ..Step::RANDOM }]
    },
    prepare: |net, _| faults::rule(&net.pod_ns(0), "input", 0, "tcp flags & (syn | ack) == (syn | ack) drop"),
    expect: Expect::Causes(|_, _| "reply_dropped_here"),
    ..Scenario::UNFILTERED
};
