//! `ipv6` and `ipv6_unfiltered`: `fully_random` over IPv6, behind a filter that filters IPv6, and behind one that ignores IPv6.

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
