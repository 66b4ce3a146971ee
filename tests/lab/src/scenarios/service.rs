//! `service`: pods connect to a ClusterIP whose backend is outside, so DNAT comes before the masquerade.

use crate::scenario::Scenario;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "service",
    about: "a ClusterIP with a backend outside, DNAT and then masquerade --random-fully: half of the connections fail",
    services: true,
    ..Scenario::USUAL
};
