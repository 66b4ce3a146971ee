//! `conntrack_full`: the node's table is full of entries in use, so a SYN gets none and is dropped.
//!
//! The limit is the machine's own and stays as it is: the table of the lab's node is really filled up to it.

use crate::fill;
use crate::scenario::{Expect, Scenario};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "conntrack_full",
    about: "the node's conntrack table is full: every connection fails",
    prepare: |net, _| fill::fill(net),
    expect: Expect::Causes(|_, _| "conntrack_full"),
    ..Scenario::UNFILTERED
};
