//! `fully_random`: the failure as users meet it. Half of all connections from pods fail.

use crate::scenario::Scenario;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "fully_random",
    about: "masquerade --random-fully behind a filter that passes 32768-65535: half of the connections fail",
    ..Scenario::USUAL
};
