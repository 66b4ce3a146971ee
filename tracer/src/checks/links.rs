//! The interfaces of a namespace: of what kind each is, and whether it leads to the outside.

use std::collections::BTreeMap;

use netlink_packet_core::{NLM_F_DUMP, NLM_F_REQUEST};
use netlink_packet_route::link::{LinkAttribute, LinkInfo, LinkMessage};
use netlink_packet_route::route::{RouteAttribute, RouteMessage, RouteType};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use crate::netlink;

/// One interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkFacts {
    /// What the kernel calls its kind (`vxlan`, `wireguard`); a network card has none.
    pub kind: Option<String>,
    /// Whether a default route of any table leaves by it, or whatever else has a capture watch it.
    pub leads_outside: bool,
    /// Whether a route of IPv4 by it leads beyond its own network, and one of IPv6.
    pub is_routed: [bool; 2],
}

/// Those of the namespace of this thread, by name.
///
/// # Errors
/// When the kernel cannot be asked.
pub(super) fn read() -> anyhow::Result<BTreeMap<String, LinkFacts>> {
    let ask = |message| netlink::route(message, NLM_F_REQUEST | NLM_F_DUMP);
    let mut links = BTreeMap::new();
    let mut names = BTreeMap::new();
    for answer in ask(RouteNetlinkMessage::GetLink(LinkMessage::default()))? {
        if let RouteNetlinkMessage::NewLink(link) = answer
            && let Some(name) = name(&link)
        {
            names.insert(link.header.index, name.clone());
            links.insert(name, LinkFacts { kind: kind(&link), ..LinkFacts::default() });
        }
    }
    for (place, family) in [AddressFamily::Inet, AddressFamily::Inet6].into_iter().enumerate() {
        let mut asked = RouteMessage::default();
        asked.header.address_family = family;
        // Fails where IPv6 is off.
        for answer in ask(RouteNetlinkMessage::GetRoute(asked)).unwrap_or_default() {
            if let RouteNetlinkMessage::NewRoute(route) = answer {
                let is_default = route.header.destination_prefix_length == 0;
                for index in leaves_by(&route) {
                    let link: Option<&mut LinkFacts> = names.get(&index).and_then(|name| links.get_mut(name));
                    link.into_iter().for_each(|link| {
                        link.leads_outside |= is_default;
                        link.is_routed[place] = true;
                    });
                }
            }
        }
    }
    for name in watched_by_default() {
        links.entry(name).and_modify(|link| link.leads_outside = true);
    }
    Ok(links)
}

#[cfg(feature = "ebpf")]
fn watched_by_default() -> Vec<String> {
    crate::bpf::uplinks().unwrap_or_default()
}

#[cfg(not(feature = "ebpf"))]
fn watched_by_default() -> Vec<String> {
    Vec::new()
}

fn name(link: &LinkMessage) -> Option<String> {
    let name = |attribute: &LinkAttribute| {
        if let LinkAttribute::IfName(name) = attribute { Some(name.clone()) } else { None }
    };
    link.attributes.iter().find_map(name)
}

fn kind(link: &LinkMessage) -> Option<String> {
    let infos = |attribute: &'_ LinkAttribute| {
        if let LinkAttribute::LinkInfo(infos) = attribute { Some(infos.clone()) } else { None }
    };
    let kind = |info: &LinkInfo| if let LinkInfo::Kind(kind) = info { Some(kind.to_string()) } else { None };
    link.attributes.iter().find_map(infos)?.iter().find_map(kind)
}

/// The interfaces of a default route, or of one by a gateway.
fn leaves_by(route: &RouteMessage) -> Vec<u32> {
    let is_gateway = |attribute: &RouteAttribute| {
        matches!(attribute, RouteAttribute::Gateway(_) | RouteAttribute::Via(_) | RouteAttribute::MultiPath(_))
    };
    let is_default = route.header.destination_prefix_length == 0;
    if route.header.kind != RouteType::Unicast || !(is_default || route.attributes.iter().any(is_gateway)) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for attribute in &route.attributes {
        if let RouteAttribute::Oif(index) = attribute {
            found.push(*index);
        } else if let RouteAttribute::MultiPath(hops) = attribute {
            found.extend(hops.iter().map(|hop| hop.interface_index));
        }
    }
    found
}
