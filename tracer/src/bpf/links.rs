//! The interfaces of a namespace, and their addresses.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use anyhow::Context as _;
use nix::libc::{ARPHRD_ETHER, ARPHRD_LOOPBACK, RTM_GETADDR, RTM_GETLINK};
use tracer_common::events::{INTERFACE_NAME, LINK_ENCAPSULATES};
use tracer_common::flow::octets;

use crate::netlink::link::{LinkMessage, encapsulates};
use crate::netlink::{Connection, find, number};

/// The end of Cilium's tunnels on the node is a plain pair of interfaces.
const ENCAPSULATING_NAMES: [&str; 2] = ["cilium_host", "cilium_net"];

/// An interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) index: u32,
    pub(super) name: String,
    /// Whether packets on it begin with an Ethernet header
    pub(super) has_ethernet: bool,
    /// `LINK_*`
    pub(super) flags: u8,
    pub(super) is_loopback: bool,
    /// It leads to other hosts: no loopback, tunnel, bridge or dummy, whose addresses may be meant for all uplinks
    pub(super) is_nic: bool,
    /// As a port of a bridge it leads to a virtual machine or a container
    pub(super) leads_inside: bool,
    /// The table of the VRF that it is.
    vrf: Option<u32>,
    /// Index of the interface below it, or of the other end of a pair
    pub(super) link: Option<u32>,
    /// The namespace of that one where it is another, by the number that this one gives it
    pub(super) link_netns: Option<u32>,
    /// The bridge, bond or VRF that it is part of
    pub(super) master: Option<u32>,
    /// It sends by those that are part of it
    pub(super) has_ports: bool,
    pub(super) is_bridge: bool,
    /// It sends by the interface below it
    has_parent: bool,
    /// It does so without a tag: neighbours of that interface are its own
    pub(super) shares_segment: bool,
}

/// All interfaces, by index.
pub(super) fn all(connection: &Connection) -> anyhow::Result<BTreeMap<u32, Link>> {
    let mut links = BTreeMap::new();
    let found = |_, body: &[u8]| links.extend(parse(body).map(|link| (link.index, link)));
    connection.dump(RTM_GETLINK, &[0; 16], found).context("cannot list the interfaces")?;
    Ok(links)
}

/// The tables of VRFs.
pub(super) fn vrfs(links: &BTreeMap<u32, Link>) -> BTreeSet<u32> {
    links.values().filter_map(|link| link.vrf).collect()
}

impl Link {
    /// The interface of this namespace that it sends by.
    pub(super) fn parent(&self) -> Option<u32> {
        self.link.filter(|_| self.has_parent && self.link_netns.is_none())
    }
}

fn parse(message: &[u8]) -> Option<Link> {
    const IFLA_VRF_TABLE: u16 = 1;
    let LinkMessage { index, layer, name, kind, data, link, link_netns, master, xdp: _ } = LinkMessage::parse(message)?;
    let kind = kind.unwrap_or_default();
    let shares_segment = matches!(kind, "macvlan" | "macvtap" | "ipvlan" | "ipvtap");
    // A tap has Ethernet frames, which are a virtual machine's own.
    let is_tap = kind == "tun" && layer == ARPHRD_ETHER;
    let encapsulates = encapsulates(kind) && !is_tap || ENCAPSULATING_NAMES.contains(&name);
    // In a container, the way out is the end of a pair.
    let is_nic_name = ["eth", "en"].iter().any(|prefix| name.starts_with(prefix));
    (1..INTERFACE_NAME).contains(&name.len()).then(|| Link {
        index,
        name: name.to_owned(),
        has_ethernet: matches!(layer, ARPHRD_ETHER | ARPHRD_LOOPBACK),
        flags: if encapsulates { LINK_ENCAPSULATES } else { 0 },
        is_loopback: layer == ARPHRD_LOOPBACK,
        is_nic: layer != ARPHRD_LOOPBACK && !encapsulates && !["bridge", "dummy", "ifb", "vrf"].contains(&kind),
        leads_inside: kind == "tun" || kind == "veth" && !is_nic_name,
        vrf: find(data, IFLA_VRF_TABLE).and_then(number).filter(|_| kind == "vrf"),
        link,
        link_netns,
        master,
        has_ports: matches!(kind, "bridge" | "bond" | "team"),
        is_bridge: kind == "bridge",
        has_parent: kind == "vlan" || shares_segment,
        shares_segment,
    })
}

/// What is known of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Held {
    /// The interface has it.
    Address,
    /// A local route makes its prefix the node's own.
    LocalRoute,
    /// A route leads it out of the interface, although it is in a network of another one.
    HostRoute,
    /// An interface above this one, which sends for it, has it.
    Sender,
}

/// An address of an interface, or one that a route gives to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct HeldAddress {
    pub(super) ifindex: u32,
    /// In its stored form.
    pub(super) addr: [u8; 16],
    /// Length of the prefix in that form.
    pub(super) prefix: u8,
    pub(super) kind: Held,
}

impl HeldAddress {
    /// From the bytes of an address and the length of its prefix, as netlink has them.
    pub(super) fn new(ifindex: u32, bytes: &[u8], prefix: u8, kind: Held) -> Option<Self> {
        const OF_IPV4: u8 = 96;
        let (addr, prefix) = match <[u8; 4]>::try_from(bytes) {
            Ok(v4) => (IpAddr::from(v4), prefix.saturating_add(OF_IPV4)),
            Err(_) => (IpAddr::from(<[u8; 16]>::try_from(bytes).ok()?), prefix),
        };
        (!addr.is_loopback()).then(|| Self { ifindex, addr: octets(addr), prefix, kind })
    }

    /// Whether this is an address with a network, and the other one is an address of that network.
    pub(super) fn has_in_network(&self, other: &Self) -> bool {
        let bits = |held: &Self| u128::from_be_bytes(held.addr);
        let behind = 128_u32.saturating_sub(self.prefix.into());
        self.kind == Held::Address && behind > 0 && (bits(self) ^ bits(other)).checked_shr(behind).unwrap_or(0) == 0
    }
}

/// All addresses but those that every host has.
pub(super) fn addresses(connection: &Connection) -> anyhow::Result<BTreeSet<HeldAddress>> {
    let mut held = BTreeSet::new();
    let found = |_, body: &[u8]| held.extend(address(body));
    connection.dump(RTM_GETADDR, &[0; 8], found).context("cannot list the addresses of the interfaces")?;
    Ok(held)
}

/// `ifaddrmsg`; the local address is that of this end.
fn address(body: &[u8]) -> Option<HeldAddress> {
    const IFA_ADDRESS: u16 = 1;
    const IFA_LOCAL: u16 = 2;
    let (header, rest) = body.split_at_checked(8)?;
    let bytes = find(rest, IFA_LOCAL).or_else(|| find(rest, IFA_ADDRESS))?;
    HeldAddress::new(number(&header[4..])?, bytes, header[1], Held::Address)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::netlink::attribute;

    /// An interface as the kernel describes it.
    pub(in super::super) fn link(index: u32, name: &str, layer: u16, kind: &str) -> Link {
        let mut body = vec![0; 16];
        body[2..4].copy_from_slice(&layer.to_ne_bytes());
        body[4..8].copy_from_slice(&index.to_ne_bytes());
        body.extend(attribute(3, format!("{name}\0").as_bytes()));
        body.extend(attribute(18 | 0x8000, &attribute(1, format!("{kind}\0").as_bytes())));
        parse(&body).unwrap()
    }

    pub(in super::super) fn part_of(master: u32, link: Link) -> Link {
        Link { master: Some(master), ..link }
    }

    pub(in super::super) fn sends_by(parent: u32, link: Link) -> Link {
        Link { link: Some(parent), ..link }
    }

    #[test]
    fn tunnels_are_told_from_ways_to_a_provider() {
        const ARPHRD_NONE: u16 = 0xfffe;
        for (name, layer, kind) in
            [("flannel.1", 1, "vxlan"), ("wg0", ARPHRD_NONE, "wireguard"), ("tun0", ARPHRD_NONE, "tun")]
        {
            assert_eq!(link(7, name, layer, kind).flags, LINK_ENCAPSULATES, "{name}");
        }
        assert_eq!(link(7, "cilium_host", 1, "veth").flags, LINK_ENCAPSULATES);
        for (name, layer, kind) in [("eth0", 1, ""), ("vnet0", 1, "tun"), ("br0", 1, "bridge"), ("ppp0", 512, "ppp")] {
            assert_eq!(link(7, name, layer, kind).flags, 0, "{name}");
        }
        let wg = link(7, "wg0", ARPHRD_NONE, "wireguard");
        assert!(!wg.has_ethernet && !wg.is_loopback && wg.index == 7);
        assert!(link(7, "lo", ARPHRD_LOOPBACK, "").is_loopback);
    }

    #[test]
    fn addresses_are_kept_in_their_stored_form() {
        let mut body = vec![2, 24, 0, 0, 7, 0, 0, 0];
        body.extend(attribute(1, &[192, 0, 2, 1]));
        body.extend(attribute(2, &[192, 0, 2, 10]));
        assert_eq!(
            address(&body).unwrap(),
            HeldAddress { ifindex: 7, addr: octets([192, 0, 2, 10].into()), prefix: 120, kind: Held::Address }
        );
        body.truncate(8);
        body.extend(attribute(1, &[127, 0, 0, 1]));
        assert_eq!(address(&body), None);
    }
}
