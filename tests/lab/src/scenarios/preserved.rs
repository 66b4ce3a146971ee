//! `preserved`: plain masquerade keeps the pods' own ports, which the filter passes. Nothing fails.

use crate::masquerade::Masquerade;
use crate::scenario::{Scenario, Step};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "preserved",
    about: "plain masquerade keeps the original port: nothing fails",
    masquerade: Masquerade::Plain,
    chain: |_| vec![Step { drawn: false, ..Step::RANDOM }],
    ..Scenario::USUAL
};
