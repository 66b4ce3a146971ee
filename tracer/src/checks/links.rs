//! The interfaces of a namespace: of what kind each is, and whether it leads to the outside.

use std::collections::BTreeMap;

use nix::libc::{AF_INET, AF_INET6, RTM_GETLINK};

use crate::netlink::Connection;
use crate::netlink::link::LinkMessage;
use crate::netlink::route::{self, Route};

/// One interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkFacts {
    /// What the kernel calls its kind (`vxlan`, `wireguard`); a network card has none.
    pub kind: Option<String>,
    /// Whether a default route of any table leaves by it, or whatever else has a capture watch it.
    pub leads_outside: bool,
    /// Whether a route of IPv4 by it leads beyond its own network, and one of IPv6.
    pub is_routed: [bool; 2],
    /// The XDP program on it, by its number.
    pub xdp: Option<u32>,
}

/// Those of the namespace of this thread, by name.
///
/// # Errors
/// When the kernel cannot be asked.
pub(super) fn read() -> anyhow::Result<BTreeMap<String, LinkFacts>> {
    let connection = Connection::open()?;
    let mut links = BTreeMap::new();
    let mut names = BTreeMap::new();
    connection.dump(RTM_GETLINK, &[0; 16], |_, message| {
        if let Some(link) = LinkMessage::parse(message).filter(|link| !link.name.is_empty()) {
            names.insert(link.index, link.name.to_owned());
            let kind = link.kind.map(str::to_owned);
            links.insert(link.name.to_owned(), LinkFacts { kind, xdp: link.xdp, ..LinkFacts::default() });
        }
    })?;
    for (place, family) in [AF_INET, AF_INET6].into_iter().enumerate() {
        // Fails where IPv6 is off.
        let _ = route::dump(&connection, family, |route| {
            for index in route.interfaces().filter(|_| leads_beyond(route)) {
                let link: Option<&mut LinkFacts> = names.get(&index).and_then(|name| links.get_mut(name));
                link.into_iter().for_each(|link| {
                    link.leads_outside |= route.len == 0;
                    link.is_routed[place] = true;
                });
            }
        });
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

/// Whether it leads packets beyond the network of its interface.
fn leads_beyond(route: &Route<'_>) -> bool {
    route.is_unicast && (route.len == 0 || route.has_gateway || !route.hops.is_empty())
}

#[cfg(test)]
mod tests {
    use nix::libc::{RTA_GATEWAY, RTA_MULTIPATH, RTA_OIF, RTN_UNICAST};

    use super::*;
    use crate::netlink::route::tests::route;

    #[test]
    fn a_route_by_a_gateway_leads_beyond_the_network_of_its_interface() {
        let by = (RTA_OIF, &7u32.to_ne_bytes()[..]);
        let hops = [&8u16.to_ne_bytes()[..], &[0; 2], &3u32.to_ne_bytes()].concat();
        for (prefix, attributes, expected) in [
            ("0.0.0.0/0", &[by][..], true),
            ("192.0.2.0/24", &[by, (RTA_GATEWAY, &[192, 0, 2, 1])], true),
            ("192.0.2.0/24", &[by], false),
            ("10.0.0.0/8", &[(RTA_MULTIPATH, &hops)], true),
        ] {
            let message = route(prefix, RTN_UNICAST, attributes);
            assert_eq!(leads_beyond(&Route::parse(&message).unwrap()), expected, "{prefix}");
        }
    }
}
