//! Which interfaces lead to the outside: those with a route by a gateway to public addresses, and those with routes that together are
//! as wide as a /8 of public addresses (IPv4) or a /16 (IPv6).
//!
//! That is a default route, the two halves of one (`0.0.0.0/1` and `128.0.0.0/1`), `2000::/3`, the long lists of VPNs that leave out
//! private networks, and each hop of a route with several; in the main table, in one of policy routing, of a VPN or of a VRF.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};
use nix::libc::{AF_INET, c_int};

use crate::netlink::route::Route;

/// Networks of IPv4 that are no way to the outside: private, shared, loopback, link-local, multicast, reserved.
const SPECIAL: [Ipv4Net; 9] = [
    Ipv4Net::new_assert(Ipv4Addr::new(10, 0, 0, 0), 8),
    Ipv4Net::new_assert(Ipv4Addr::new(100, 64, 0, 0), 10),
    Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8),
    Ipv4Net::new_assert(Ipv4Addr::new(169, 254, 0, 0), 16),
    Ipv4Net::new_assert(Ipv4Addr::new(172, 16, 0, 0), 12),
    Ipv4Net::new_assert(Ipv4Addr::new(192, 168, 0, 0), 16),
    Ipv4Net::new_assert(Ipv4Addr::new(198, 18, 0, 0), 15),
    Ipv4Net::new_assert(Ipv4Addr::new(224, 0, 0, 0), 4),
    Ipv4Net::new_assert(Ipv4Addr::new(240, 0, 0, 0), 4),
];
/// The global unicast addresses of IPv6 that are in use.
const GLOBAL: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// Addresses, in units of one of IPv4 and of a /64 of IPv6, that make routes as wide as the outside.
const WIDE_V4: u64 = 1 << 24;
const WIDE_V6: u64 = 1 << 48;

/// How many public addresses are routed through each interface, by family and index.
#[derive(Debug, Default)]
pub(super) struct Widths(BTreeMap<(c_int, u32), u64>);

impl Widths {
    /// Adds what is routed through the interfaces of a route; `nexthops` are those of nexthop objects.
    pub(super) fn add(&mut self, route: &Route<'_>, nexthops: &BTreeMap<u32, Vec<u32>>) {
        // Behind a gateway, however few they are.
        let (width, wide) = match (route.family, route.has_gateway) {
            (AF_INET, _) => (width_v4(route.dst, route.len), WIDE_V4),
            (_, true) => (width_v6(route.dst, route.len.min(64)), WIDE_V6),
            (_, false) => (width_v6(route.dst, route.len), WIDE_V6),
        };
        if width == 0 || !route.is_unicast {
            return;
        }
        let width = if route.has_gateway { width.max(wide) } else { width };
        let mut indexes: BTreeSet<u32> = route.interfaces().collect();
        if indexes.is_empty() {
            indexes.extend(route.nexthop.and_then(|id| nexthops.get(&id)).into_iter().flatten());
        }
        for index in indexes {
            let sum = self.0.entry((route.family, index)).or_default();
            *sum = sum.saturating_add(width);
        }
    }

    /// The interfaces that lead to the outside.
    pub(super) fn outside(&self) -> BTreeSet<u32> {
        let is_wide = |family: c_int, width: u64| width >= if family == AF_INET { WIDE_V4 } else { WIDE_V6 };
        self.0.iter().filter(|((family, _), width)| is_wide(*family, **width)).map(|((_, index), _)| *index).collect()
    }
}

/// How many public addresses the prefix has, at least.
fn width_v4(dst: &[u8], len: u8) -> u64 {
    let net = Ipv4Net::new(dst.first_chunk().copied().unwrap_or_default().into(), len);
    net.map_or(0, |net| if SPECIAL.iter().any(|special| special.contains(&net)) { 0 } else { 1 << (32 - len) })
}

/// How many global /64 the prefix has; a wider one than the global addresses has all of them.
fn width_v6(dst: &[u8], len: u8) -> u64 {
    let net = Ipv6Net::new(dst.first_chunk().copied().unwrap_or_default().into(), len);
    let is_global = net.is_ok_and(|net| GLOBAL.contains(&net) || net.contains(&GLOBAL));
    if is_global && len <= 64 { 1 << (64 - len.max(GLOBAL.prefix_len())) } else { 0 }
}

#[cfg(test)]
mod tests {
    use nix::libc::{RTA_GATEWAY, RTA_OIF, RTN_BLACKHOLE, RTN_UNICAST};

    use super::*;
    use crate::netlink::route::tests::route;

    /// Whether an interface with these routes leads to the outside.
    fn lead_out(prefixes: &[&str], kind: u8, attributes: &[(u16, &[u8])]) -> bool {
        let mut widths = Widths::default();
        for prefix in prefixes {
            widths.add(&Route::parse(&route(prefix, kind, attributes)).unwrap(), &BTreeMap::new());
        }
        !widths.outside().is_empty()
    }

    #[test]
    fn default_routes_halves_and_long_lists_lead_out_and_private_networks_do_not() {
        let by = [(RTA_OIF, &5u32.to_ne_bytes()[..])];
        for wide in [
            &["0.0.0.0/0"][..],
            &["::/0"],
            &["0.0.0.0/1", "128.0.0.0/1"],
            &["128.0.0.0/1"],
            &["::/1", "8000::/1"],
            &["2000::/3"],
            &["2400::/12"],
            &["20.0.0.0/8"],
            &["11.0.0.0/9", "11.128.0.0/9"],
            &["1.0.0.0/10", "2.0.0.0/10", "3.0.0.0/10", "4.0.0.0/10"],
        ] {
            assert!(lead_out(wide, RTN_UNICAST, &by), "{wide:?}");
            assert!(!lead_out(wide, RTN_BLACKHOLE, &by), "{wide:?}");
        }
        for narrow in [
            &["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16"][..],
            &["198.51.100.0/24", "203.0.113.7/32"],
            &["11.0.0.0/9"],
            &["224.0.0.0/4", "127.0.0.0/8"],
            &["fc00::/7", "fe80::/64", "ff00::/8", "8000::/1"],
            &["2001:db8::/32", "2001:db8:1::/48"],
        ] {
            assert!(!lead_out(narrow, RTN_UNICAST, &by), "{narrow:?}");
        }
    }

    #[test]
    fn a_route_by_a_nexthop_object_leaves_through_each_of_its_interfaces() {
        const RTA_NH_ID: u16 = 30;
        let message = route("0.0.0.0/0", RTN_UNICAST, &[(RTA_NH_ID, &7u32.to_ne_bytes())]);
        let mut widths = Widths::default();
        widths.add(&Route::parse(&message).unwrap(), &BTreeMap::from([(7, vec![30, 31])]));
        assert_eq!(widths.outside(), BTreeSet::from([30, 31]));
    }

    #[test]
    fn a_gateway_to_public_addresses_leads_out_however_few_they_are() {
        for (prefix, is_public) in [
            ("198.51.100.80/32", true),
            ("203.0.113.0/24", true),
            ("2001:db8::80/128", true),
            // Nodes of a cluster, and networks of the house.
            ("10.42.1.0/24", false),
            ("192.168.7.0/24", false),
            ("fd00:1::/64", false),
        ] {
            let by_gateway = [(RTA_OIF, &5u32.to_ne_bytes()[..]), (RTA_GATEWAY, &[10, 8, 0, 1])];
            assert_eq!(lead_out(&[prefix], RTN_UNICAST, &by_gateway), is_public, "{prefix}");
        }
    }
}
