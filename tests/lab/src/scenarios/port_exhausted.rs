//! `port_exhausted`: masquerade to a single port, and one destination. The first connection gets this port and keeps it.

use std::net::SocketAddr;

use crate::masquerade::Masquerade;
use crate::net::PORTS;
use crate::scenario::{Close, Expect, Scenario, Step};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "port_exhausted",
    about: "masquerade to one port, one destination: the first connection gets it, all others fail",
    masquerade: Masquerade::Ports(40000, 40000),
    chain: |_| vec![Step { close: Close::Hold, drawn: false, ..Step::RANDOM }],
    destination: |net, family, _| SocketAddr::new(net.server(family, 0), PORTS[0]),
    expect: Expect::Causes(|_, _| "port_exhausted"),
    ..Scenario::UNFILTERED
};
