//! What a packet capture says of itself, and what it cannot say: the header of the output.

use std::net::IpAddr;
use std::path::Path;

use crate::model::{Capture, Filter, HookState, Policy};

/// What is known once the first packets were read.
#[derive(Default)]
pub struct Known<'a> {
    pub files: Vec<&'a Path>,
    pub system: Option<&'a str>,
    /// Addresses of the node, where only one side of NAT was captured
    pub node: Vec<IpAddr>,
    /// They were given, not concluded.
    pub is_node_given: bool,
    pub has_both_sides: bool,
}

const NO_RULES: &str = "a packet capture has no NAT rules, so how ports are chosen is unknown";
const NO_SOCKETS: &str = "a packet capture has no sockets and pods: retransmits and outcomes are those of the packets";
const NO_DROPS: &str = "a packet capture does not show what the node drops, so no cause that rests on drops is named";

pub fn capture(known: &Known<'_>) -> Capture {
    let off = |stem: &str, why: &str| HookState { stem: stem.to_owned(), off: Some(why.to_owned()) };
    let wire = HookState { stem: "wire".to_owned(), off: None };
    let name = |path: &&Path| path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    Capture {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        node: known.files.iter().map(name).collect::<Vec<_>>().join("+"),
        kernel: known.system.unwrap_or("packet capture").to_owned(),
        session: 0,
        part: 0,
        boot_unix_ns: 0,
        utc_offset_s: 0,
        policy: Policy::default(),
        hooks: vec![
            wire,
            off("nat_bind", &bindings(known)),
            off("nat_select", NO_RULES),
            off("syn_retransmit", NO_SOCKETS),
            off("ct_drop", NO_DROPS),
        ],
        addresses: known.node.clone(),
        filter: Filter::default(),
        drop_reasons: Vec::new(),
        owners: Vec::new(),
        is_of_packets: true,
    }
}

/// Where the translated tuples come from.
fn bindings(known: &Known<'_>) -> String {
    if known.has_both_sides {
        return "a packet capture has no conntrack entries: a SYN before and after NAT is joined by its sequence number".to_owned();
    }
    let node: Vec<_> = known.node.iter().map(ToString::to_string).collect();
    match (node.join(", "), known.is_node_given) {
        (node, _) if node.is_empty() => {
            "no SYN was captured on both sides of NAT, so nothing shows which sources were translated; \
             name the node's addresses: --node-address"
                .to_owned()
        }
        (node, true) => {
            format!("one side of NAT was captured: sources with an address of the node ({node}) count as translated")
        }
        (node, false) => format!(
            "one side of NAT was captured: the address with a part in most SYNs is taken for the node's ({node}), and its sources \
             count as translated; --node-address names other addresses"
        ),
    }
}
