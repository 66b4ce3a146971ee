//! `ipv6` and `ipv6_unfiltered`: the same over IPv6, behind a filter that looks at IPv6, and behind one that does not.

use crate::filter::Filter;
use crate::net::Family;
use crate::scenario::Scenario;

pub(super) const FILTERED: Scenario = Scenario {
    name: "ipv6",
    about: "IPv6 masquerade --random-fully, IPv6 is filtered too: half of the connections fail",
    filter: Filter { ipv6: true, ..Filter::USUAL },
    family: Family::V6,
    ..Scenario::USUAL
};

pub(super) const UNFILTERED: Scenario = Scenario {
    name: "ipv6_unfiltered",
    about: "IPv6 masquerade --random-fully, the filter ignores IPv6 as most do: nothing fails",
    family: Family::V6,
    ..Scenario::USUAL
};
