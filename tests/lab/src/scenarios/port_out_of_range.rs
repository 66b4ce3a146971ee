//! `port_out_of_range`: as `fully_random`, and every failure is to be told with its cause.

use crate::scenario::{Expect, Scenario};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "port_out_of_range",
    about: "as fully_random; what failed must have this cause",
    expect: Expect::Causes(|_, _| "port_out_of_range"),
    ..Scenario::USUAL
};
