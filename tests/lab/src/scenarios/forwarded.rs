//! `forwarded`: SYNs whose TCP is not this kernel's, as from a VM or a TUN stack. Only the wire sees them.

use crate::scenario::{Scenario, Step};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "forwarded",
    about: "SYNs from a raw socket, so no local TCP socket exists: half of the connections fail",
    raw: true,
    chain,
    ..Scenario::USUAL
};

fn chain(index: u32) -> Vec<Step> {
    // 35000 is no multiple of the number of destinations, so no tuple comes back soon.
    vec![Step { src_port: u16::try_from(30000 + index % 35000).ok(), ..Step::RANDOM }]
}
