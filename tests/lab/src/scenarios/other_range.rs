//! `other_range`: a filter with an unusual range, which is also the policy of the capture.

use crate::filter::Filter;
use crate::scenario::Scenario;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "other_range",
    about: "the filter passes 10000-19999: 85 % of the connections fail",
    filter: Filter { passes: (10000, 19999), ..Filter::USUAL },
    allow: "10000-19999",
    ..Scenario::USUAL
};
