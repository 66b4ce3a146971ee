//! `preserved_clash`: the rare variant. Two pods use the same source port towards one destination.
//!
//! Plain masquerade keeps the port of the first; for the second it is taken, so a random one is drawn.

use crate::masquerade::Masquerade;
use crate::scenario::{Place, Scenario, Step};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "preserved_clash",
    about: "plain masquerade, two pods with the same source port to one destination: half of the second ones fail",
    masquerade: Masquerade::Plain,
    chain,
    ..Scenario::USUAL
};

fn chain(index: u32) -> Vec<Step> {
    // A port of its own for each pair: a second destination would get the port of the first again.
    let src_port = u16::try_from(32768 + index % 32768).ok();
    let first = Step { src_port, drawn: false, ..Step::RANDOM };
    vec![first, Step { from: Place::Pod(1), drawn: true, ..first }]
}
