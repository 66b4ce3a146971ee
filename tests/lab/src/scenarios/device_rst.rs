//! `device_rst`: a firewall on the path answers SYNs with an RST in the server's name.

use crate::faults;
use crate::scenario::{Expect, Scenario};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "device_rst",
    about: "a firewall on the path rejects SYNs with an RST: every connection is refused",
    prepare: |net, _| {
        let rule = "tcp flags & (syn | ack) == syn reject with tcp reset";
        faults::rule(&net.router_ns(), "forward", 0, rule)
    },
    expect: Expect::Causes(|_, _| "refused"),
    ..Scenario::UNFILTERED
};
