//! `stale_entry`: the first connection to each destination is made before a rule masquerades, and its conntrack entry keeps the pod's
//! address. Later connections are masqueraded.

use anyhow::Result;

use crate::masquerade::Masquerade;
use crate::net::{Family, Net};
use crate::scenario::{Expect, Scenario, Step};
use crate::{command, netns};

/// Few, so that each has later connections whatever moment of a recording is skipped: they are the evidence.
const DESTINATIONS: u32 = 8;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "stale_entry",
    about: "the first connection to each destination comes before the masquerade rule: its entry keeps the pod's address",
    masquerade: Masquerade::Nothing,
    chain: |_| vec![Step { drawn: false, ..Step::RANDOM }; 2],
    prepare,
    destination: |net, family, index| net.destination(family, index % DESTINATIONS),
    expect: Expect::Causes(|_, _| "stale_entry"),
    ..Scenario::UNFILTERED
};

fn prepare(net: &Net, family: Family) -> Result<()> {
    let (ip, pods) = (family.nft(), net.pods(family));
    let kind = match family {
        Family::V4 => "ipv4_addr",
        Family::V6 => "ipv6_addr",
    };
    let text = format!(
        "table {ip} fault_late {{\n\
         set met {{ type {kind} . inet_service; flags dynamic; size 65536; }}\n\
         chain fault {{\n\
         type nat hook postrouting priority 100; policy accept;\n\
         {ip} saddr {pods} oifname \"eth0\" {ip} daddr . tcp dport @met masquerade\n\
         {ip} saddr {pods} oifname \"eth0\" update @met {{ {ip} daddr . tcp dport }}\n\
         }}\n\
         }}\n"
    );
    netns::within(&net.node_ns(), || command::run("nft", &["-f", "-"], &text).map(drop))
}
