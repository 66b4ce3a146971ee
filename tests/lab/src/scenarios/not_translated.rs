//! `not_translated`: no rule masquerades, so SYNs leave with the pod's address, to which no router has a route. The destinations are private:
//! connections of the node itself show that they are alive.

use crate::masquerade::Masquerade;
use crate::scenario::{Expect, Place, Scenario, Step};

/// Each is tried once by the pod, and then by the node.
const DESTINATIONS: u32 = 8;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "not_translated",
    about: "nothing masquerades: SYNs leave with the pod's own address, while the node's own connections work",
    masquerade: Masquerade::Nothing,
    chain,
    destination: |net, family, index| net.destination(family, index % DESTINATIONS),
    expect: Expect::Causes(|_, _| "not_translated"),
    ..Scenario::UNFILTERED
};

fn chain(index: u32) -> Vec<Step> {
    let step = Step { drawn: false, ..Step::RANDOM };
    let own = Step { from: Place::Node, ..step };
    if index < DESTINATIONS { vec![step, own, own] } else { vec![own; 2] }
}
