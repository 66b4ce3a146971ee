//! `wrong_source`: the first connection to each destination gets a source address that the node no longer has, so that no host gets the
//! return traffic. Later connections are masqueraded and answered: they show that the destination is alive.

use anyhow::Result;

use crate::masquerade::Masquerade;
use crate::net::{Family, Net};
use crate::scenario::{Expect, Scenario, Step};
use crate::{command, netns};

/// Few, so that each has later connections.
const DESTINATIONS: u32 = 8;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "wrong_source",
    about: "SNAT chooses an address that no interface of the node has, for the first connection to each destination",
    masquerade: Masquerade::Nothing,
    chain: |_| vec![Step { drawn: false, ..Step::RANDOM }; 2],
    prepare,
    destination: |net, family, index| net.destination(family, index % DESTINATIONS),
    expect: Expect::Causes(|_, _| "wrong_source"),
    ..Scenario::UNFILTERED
};

fn prepare(net: &Net, family: Family) -> Result<()> {
    let (ip, pods, address) = (family.nft(), net.pods(family), net.no_router(family));
    let kind = match family {
        Family::V4 => "ipv4_addr",
        Family::V6 => "ipv6_addr",
    };
    let text = format!(
        "table {ip} fault_snat {{\n\
         set met {{ type {kind} . inet_service; flags dynamic; size 65536; }}\n\
         chain fault {{\n\
         type nat hook postrouting priority 100; policy accept;\n\
         {ip} saddr {pods} oifname \"eth0\" {ip} daddr . tcp dport @met masquerade\n\
         {ip} saddr {pods} oifname \"eth0\" update @met {{ {ip} daddr . tcp dport }} snat to {address}\n\
         }}\n\
         }}\n"
    );
    netns::within(&net.node_ns(), || command::run("nft", &["-f", "-"], &text).map(drop))
}
