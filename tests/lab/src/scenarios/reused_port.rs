//! `reused_port`: the same source port again, to the same destination, while the old conntrack entry lives.
//!
//! The connection gets the old translated port without a new selection. An entry that the server closed by RST lives on for 10 s, an
//! entry without any reply for 120 s: the bad port persists. (After an RST of the client the kernel deletes the entry at the next SYN
//! and draws a new port.)

use crate::scenario::{Close, Scenario, Step};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "reused_port",
    about: "the same source port three times, reset by the server: the old translated port returns without a new selection",
    chain,
    ..Scenario::USUAL
};

fn chain(index: u32) -> Vec<Step> {
    let src_port = u16::try_from(32768 + index % 32768).ok();
    let first = Step { src_port, close: Close::ResetByServer, ..Step::RANDOM };
    let again = Step { drawn: false, ..first };
    vec![first, again, again]
}
