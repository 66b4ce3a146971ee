//! `conntrack_full`: the node's conntrack table is full of entries in use, so the kernel drops SYNs, which need new entries.
//!
//! The limit is that of the machine and stays as it is: the table of the lab's node is filled up to this limit.

use crate::fill;
use crate::scenario::{Expect, Scenario};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "conntrack_full",
    about: "the node's conntrack table is full: every connection fails",
    prepare: |net, _| fill::fill(net),
    expect: Expect::Causes(|_, _| "conntrack_full"),
    ..Scenario::UNFILTERED
};
