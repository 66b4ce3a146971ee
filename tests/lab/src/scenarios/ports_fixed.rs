//! `ports_fixed`: the fix on the node. The rule names the ports that the filter passes. Nothing fails.

use crate::masquerade::Masquerade;
use crate::scenario::{Scenario, Step};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "ports_fixed",
    about: "fixed on the node, masquerade to :32768-65535: nothing fails",
    masquerade: Masquerade::Ports(32768, 65535),
    chain,
    ..Scenario::USUAL
};

fn chain(index: u32) -> Vec<Step> {
    // Every second source port is outside the range, so the rule selects another.
    let low = (index % 2 == 1).then(|| u16::try_from(2000 + index / 2 % 30000).ok()).flatten();
    vec![Step { src_port: low, drawn: false, ..Step::RANDOM }]
}
