//! `forwarded`: SYNs from another TCP stack than this kernel's, as from a VM or a TUN device. Only TC sees them.

use crate::scenario::{Scenario, Step};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "forwarded",
    about: "SYNs from a raw socket, so no local TCP socket exists: half of the connections fail",
    raw: true,
    chain,
    ..Scenario::USUAL
};

fn chain(index: u32) -> Vec<Step> {
    // 35000 is not a multiple of the number of destinations, so tuples repeat late.
    vec![Step { src_port: u16::try_from(30000 + index % 35000).ok(), ..Step::RANDOM }]
}
