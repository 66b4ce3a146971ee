//! `preserved_clash`: the rare variant. Two pods use the same source port towards one destination.
//!
//! Plain masquerade keeps the port of the first pod; for the second pod the port is taken, so the kernel draws a random one.

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
    // Each pair has its own port: with a port used before, the kernel would keep it towards a second destination.
    let src_port = u16::try_from(32768 + index % 32768).ok();
    let first = Step { src_port, drawn: false, ..Step::RANDOM };
    vec![first, Step { from: Place::Pod(1), drawn: true, ..first }]
}
