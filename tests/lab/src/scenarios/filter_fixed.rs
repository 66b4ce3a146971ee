//! `filter_fixed`: the fix at the provider. The filter passes 1024-65535. Nothing fails.
//!
//! The capture keeps the narrow policy: a connection that is established is not flagged, whatever its port.

use crate::filter::Filter;
use crate::scenario::Scenario;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "filter_fixed",
    about: "fixed at the provider, the filter passes 1024-65535: nothing fails",
    filter: Filter { passes: (1024, 65535), ..Filter::USUAL },
    ..Scenario::USUAL
};
