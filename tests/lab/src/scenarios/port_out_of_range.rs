//! `port_out_of_range`: as `fully_random`, and every failure must have this cause.

use crate::scenario::{Expect, Scenario};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "port_out_of_range",
    about: "as fully_random; every failure must have this cause",
    expect: Expect::Causes(|_, _| "port_out_of_range"),
    ..Scenario::USUAL
};
