//! `not_translated`: no rule masquerades, so SYNs leave with the pod's address, to which no router has a route.

use crate::masquerade::Masquerade;
use crate::scenario::{Expect, Scenario};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "not_translated",
    about: "nothing masquerades: SYNs leave with the pod's own address",
    masquerade: Masquerade::Nothing,
    expect: Expect::Causes(|_, _| "not_translated"),
    ..Scenario::UNFILTERED
};
