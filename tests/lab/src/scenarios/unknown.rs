//! `unknown`: SYNs leave through an interface that is not watched, with the MAC address of another machine.

use anyhow::Result;

use crate::command::{self, ip_batch};
use crate::net::{Family, Net, SERVERS};
use crate::scenario::{Expect, Scenario};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "unknown",
    about: "SYNs leave through an interface that is not watched and get lost there: no event shows why",
    prepare,
    expect: Expect::Causes(|_, _| "unknown"),
    ..Scenario::UNFILTERED
};

fn prepare(net: &Net, family: Family) -> Result<()> {
    let router = net.router_ns();
    let mut lines =
        vec![format!("link add void0 type veth peer name void0 netns {router}"), "link set void0 up".to_owned()];
    for server in (0..SERVERS).map(|index| net.server(family, index)) {
        lines.push(format!("route add {server}/{} dev void0", family.host_length()));
        lines.push(format!("neigh add {server} lladdr 02:00:00:00:00:99 dev void0 nud permanent"));
    }
    ip_batch(&net.node_ns(), &lines)?;
    command::run("ip", &["-n", &router, "link", "set", "void0", "up"], "").map(drop)
}
