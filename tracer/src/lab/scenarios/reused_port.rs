//! `reused_port`: the same source port again, to the same destination, while the old conntrack entry lives.
//!
//! The entry comes back with its old translated port and no new selection. A connection closed by RST leaves it for
//! 10 s, one that failed for 120 s: the bad port persists.

use super::{Close, Scenario, Step};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "reused_port",
    about: "the same source port three times, closed by RST: the old translated port returns without a new selection",
    chain,
    ..Scenario::USUAL
};

fn chain(index: u32) -> Vec<Step> {
    let src_port = u16::try_from(32768 + index % 32768).ok();
    let first = Step { src_port, close: Close::Rst, ..Step::RANDOM };
    let again = Step { drawn: false, ..first };
    vec![first, again, again]
}
