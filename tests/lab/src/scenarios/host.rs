//! `host`: sockets on the node itself. NAT does not choose their ports, so they are never flagged.
//!
//! Every fourth application binds a port that the filter does not pass. It fails, but not because of NAT.

use crate::scenario::{Expect, Place, Scenario, Step};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "host",
    about: "sockets on the node itself: never flagged, not even those that bind a filtered port themselves and fail",
    chain,
    expect: Expect::NothingFlagged,
    ..Scenario::USUAL
};

fn chain(index: u32) -> Vec<Step> {
    let bound = (index % 4 == 3).then(|| u16::try_from(20000 + index / 4 % 10000).ok()).flatten();
    vec![Step { from: Place::Node, src_port: bound, drawn: false, ..Step::RANDOM }]
}
