//! `refused`: nothing listens on the destination's port, so its kernel sends an RST.

use std::net::SocketAddr;

use crate::net::{CLOSED_PORT, Family, Net};
use crate::scenario::{Expect, Scenario};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "refused",
    about: "a closed port: every connection is refused",
    destination: closed,
    expect: Expect::Causes(|_, _| "refused"),
    ..Scenario::UNFILTERED
};

fn closed(net: &Net, family: Family, index: u32) -> SocketAddr {
    SocketAddr::new(net.server(family, index), CLOSED_PORT)
}
