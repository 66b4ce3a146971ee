//! `wrong_source`: an SNAT rule names an address that the node no longer has, so that no host gets the return traffic.

use anyhow::Result;

use crate::masquerade::Masquerade;
use crate::net::{Family, Net};
use crate::scenario::{Expect, Scenario};
use crate::{command, netns};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "wrong_source",
    about: "SNAT chooses an address that no interface of the node has",
    masquerade: Masquerade::Nothing,
    prepare,
    expect: Expect::Causes(|_, _| "wrong_source"),
    ..Scenario::UNFILTERED
};

fn prepare(net: &Net, family: Family) -> Result<()> {
    let (ip, pods, address) = (family.nft(), net.pods(family), net.no_router(family));
    let text = format!(
        "table {ip} fault_snat {{\n\
         chain fault {{\n\
         type nat hook postrouting priority 100; policy accept;\n\
         {ip} saddr {pods} oifname \"eth0\" snat to {address}\n\
         }}\n\
         }}\n"
    );
    netns::within(&net.node_ns(), || command::run("nft", &["-f", "-"], &text).map(drop))
}
