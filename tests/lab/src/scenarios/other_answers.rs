//! `other_answers`: return traffic comes from another address than the server's, as with direct server return where NAT is missing.

use crate::faults;
use crate::scenario::{Expect, Scenario};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "other_answers",
    about: "return traffic has another source address than the server's: no connection on the node expects it",
    prepare: |net, family| {
        let other = net.nowhere(family, 0);
        let rule =
            format!("iifname \"server0\" tcp flags & (syn | ack) == (syn | ack) {} saddr set {other}", family.nft());
        faults::rule(&net.router_ns(), "forward", 0, &rule)
    },
    expect: Expect::Causes(|_, _| "reply_dropped_here"),
    ..Scenario::UNFILTERED
};
