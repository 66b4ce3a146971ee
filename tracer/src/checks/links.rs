//! The interfaces of a namespace: of what kind each is, and whether it leads to the outside.

use std::collections::BTreeMap;

use nix::libc::{AF_INET, AF_INET6, RTN_UNICAST};

use crate::netlink::{Connection, attributes, find, hops, number, text};

/// Bytes of the header of a route.
const ROUTE: usize = 12;

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
    const RTM_GETLINK: u16 = 18;
    const RTM_GETROUTE: u16 = 26;
    let connection = Connection::open()?;
    let mut links = BTreeMap::new();
    let mut names = BTreeMap::new();
    connection.dump(RTM_GETLINK, &[0; 16], |_, link| {
        if let Some((index, name, kind)) = parse(link) {
            names.insert(index, name.clone());
            links.insert(name, LinkFacts { kind, ..LinkFacts::default() });
        }
    })?;
    for (place, family) in [AF_INET, AF_INET6].into_iter().enumerate() {
        let mut asked = [0; ROUTE];
        asked[0] = family as u8;
        // Fails where IPv6 is off.
        let _ = connection.dump(RTM_GETROUTE, &asked, |_, route| {
            let Some((is_default, indexes)) = leaves_by(route) else { return };
            for index in indexes {
                let link: Option<&mut LinkFacts> = names.get(&index).and_then(|name| links.get_mut(name));
                link.into_iter().for_each(|link| {
                    link.leads_outside |= is_default;
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

/// Index, name and kind of an interface (`ifinfomsg`).
fn parse(link: &[u8]) -> Option<(u32, String, Option<String>)> {
    const IFLA_IFNAME: u16 = 3;
    const IFLA_LINKINFO: u16 = 18;
    const IFLA_INFO_KIND: u16 = 1;
    let rest = link.get(16..)?;
    let kind = find(rest, IFLA_LINKINFO).and_then(|info| find(info, IFLA_INFO_KIND)).and_then(text);
    Some((number(&link[4..])?, find(rest, IFLA_IFNAME).and_then(text)?.to_owned(), kind.map(str::to_owned)))
}

/// Whether a route (`rtmsg`) is a default one, and the interfaces of a default route, or of one by a gateway.
fn leaves_by(route: &[u8]) -> Option<(bool, Vec<u32>)> {
    const RTA_OIF: u16 = 4;
    const RTA_GATEWAY: u16 = 5;
    const RTA_MULTIPATH: u16 = 9;
    const RTA_VIA: u16 = 18;
    let (header, rest) = route.split_at_checked(ROUTE)?;
    let (is_default, kind) = (header[1] == 0, header[7]);
    let has_gateway = || attributes(rest).any(|(kind, _)| matches!(kind, RTA_GATEWAY | RTA_VIA | RTA_MULTIPATH));
    let leaves = kind == RTN_UNICAST && (is_default || has_gateway());
    leaves.then(|| {
        let by = attributes(rest).flat_map(|(kind, payload)| match kind {
            RTA_OIF => number(payload).into_iter().collect(),
            RTA_MULTIPATH => hops(payload),
            _ => Vec::new(),
        });
        (is_default, by.collect())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::attribute;

    #[test]
    fn a_route_leaves_by_the_interfaces_of_its_hops() {
        let route = |len: u8, attributes: &[Vec<u8>]| {
            let mut message = vec![AF_INET as u8, len, 0, 0, 254, 0, 0, RTN_UNICAST, 0, 0, 0, 0];
            message.extend(attributes.concat());
            leaves_by(&message)
        };
        let (by, gateway) = (attribute(4, &7u32.to_ne_bytes()), attribute(5, &[192, 0, 2, 1]));
        assert_eq!(route(0, std::slice::from_ref(&by)), Some((true, vec![7])));
        assert_eq!(route(24, &[by.clone(), gateway]), Some((false, vec![7])));
        assert_eq!(route(24, &[by]), None, "its own network");
        let hop = |index: u32| [&8u16.to_ne_bytes()[..], &[0; 2], &index.to_ne_bytes()].concat();
        assert_eq!(route(8, &[attribute(9, &[hop(3), hop(4)].concat())]), Some((false, vec![3, 4])));
        assert_eq!(leaves_by(&[0; 11]), None);
    }
}
