//! Which interfaces lead to the outside: those with a route by a gateway to public addresses, and those with routes that together are
//! as wide as a /8 of public addresses (IPv4) or a /16 (IPv6), in a table that a rule leads to.
//!
//! That is a default route, the two halves of one (`0.0.0.0/1` and `128.0.0.0/1`), `2000::/3`, the long lists of VPNs that leave out
//! private networks, and each hop of a route with several; in the main table, in one of policy routing, of a VPN or of a VRF.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, Ipv6Addr};

use anyhow::Context as _;

use super::links::{Held, HeldAddress};
use crate::netlink::{Connection, attributes, find, hops, number};

/// Kinds of messages, and what a route and a rule do (linux/rtnetlink.h, linux/fib_rules.h, linux/nexthop.h).
const RTM_GETROUTE: u16 = 26;
const RTM_GETRULE: u16 = 34;
const RTM_GETNEXTHOP: u16 = 106;
const RTN_UNICAST: u8 = 1;
const FR_ACT_TO_TBL: u8 = 1;
const RT_TABLE_MAIN: u32 = 254;
const RT_TABLE_DEFAULT: u32 = 253;
const RTM_F_CLONED: u32 = 0x200;
const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RTA_TABLE: u16 = 15;

const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;

/// Networks of IPv4 that are no way to the outside: private, shared, loopback, link-local, multicast, reserved.
const SPECIAL: [(Ipv4Addr, u8); 9] = [
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];
/// The global unicast addresses of IPv6 that are in use.
const GLOBAL: (Ipv6Addr, u8) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// Addresses, in units of one of IPv4 and of a /64 of IPv6, that make routes as wide as the outside.
const WIDE_V4: u64 = 1 << 24;
const WIDE_V6: u64 = 1 << 48;

/// How many public addresses are routed through each interface, by family and index.
#[derive(Debug, Default)]
struct Widths(BTreeMap<(u8, u32), u64>);

impl Widths {
    fn add(&mut self, family: u8, index: u32, width: u64) {
        let sum = self.0.entry((family, index)).or_default();
        *sum = sum.saturating_add(width);
    }

    /// The interfaces that lead to the outside.
    fn outside(&self) -> BTreeSet<u32> {
        let is_wide = |family: u8, width: u64| width >= if family == AF_INET { WIDE_V4 } else { WIDE_V6 };
        self.0.iter().filter(|((family, _), width)| is_wide(*family, **width)).map(|((_, index), _)| *index).collect()
    }
}

/// What the routes of a namespace say.
pub(super) struct Routes {
    /// Indexes of the interfaces that lead to the outside.
    pub(super) outside: BTreeSet<u32>,
    /// Prefixes that are the node's own by a local route.
    pub(super) local: Vec<HeldAddress>,
    /// Single addresses, by the interface that a route leads them out of.
    pub(super) hosts: Vec<HeldAddress>,
}

/// Reads all routes; `vrfs` are the tables of VRFs, which a rule of its own kind leads to.
pub(super) fn read(connection: &Connection, vrfs: &BTreeSet<u32>) -> anyhow::Result<Routes> {
    let hops = nexthops(connection);
    let (mut widths, mut held, mut hosts) = (Widths::default(), Vec::new(), Vec::new());
    for family in [AF_INET, AF_INET6] {
        let mut tables = tables(connection, family);
        tables.extend(vrfs);
        let mut body = [0; 12];
        body[0] = family;
        let dumped = connection.dump(RTM_GETROUTE, &body, |_, route| {
            weigh(route, &tables, &hops, &mut widths);
            held.extend(local(route));
            hosts.extend(host(route));
        });
        // Fails where IPv6 is off.
        if family == AF_INET {
            dumped.context("cannot list the routes")?;
        }
    }
    Ok(Routes { outside: widths.outside(), local: held, hosts })
}

/// The prefix of a local route; those that the kernel makes for each address are left out.
fn local(route: &[u8]) -> Option<HeldAddress> {
    const RTN_LOCAL: u8 = 2;
    const RTPROT_KERNEL: u8 = 2;
    let (header, rest) = (route.get(..12)?, route.get(12..)?);
    let (len, protocol, kind) = (header[1], header[5], header[7]);
    let find = |wanted| attributes(rest).find(|(kind, _)| *kind == wanted).map(|(_, payload)| payload);
    let is_made = kind == RTN_LOCAL && protocol != RTPROT_KERNEL;
    if is_made {
        HeldAddress::new(find(RTA_OIF).and_then(number)?, find(RTA_DST)?, len, Held::LocalRoute)
    } else {
        None
    }
}

/// The address of a route to a single host.
fn host(route: &[u8]) -> Option<HeldAddress> {
    let (header, rest) = (route.get(..12)?, route.get(12..)?);
    let (family, len, kind) = (header[0], header[1], header[7]);
    if kind != RTN_UNICAST || len != if family == AF_INET { 32 } else { 128 } {
        return None;
    }
    let find = |wanted| attributes(rest).find(|(kind, _)| *kind == wanted).map(|(_, payload)| payload);
    HeldAddress::new(find(RTA_OIF).and_then(number)?, find(RTA_DST)?, len, Held::HostRoute)
}

/// Whether a change of this route may change what leads to the outside; `watched` are interfaces that do already.
pub(super) fn matters(route: &[u8], watched: &BTreeSet<u32>) -> bool {
    /// Narrower ones would have to come by the thousands, unless a gateway is behind them.
    const WIDEST: [(u8, u8); 2] = [(AF_INET, 16), (AF_INET6, 32)];
    let (family, len) = (route.first().copied(), route.get(1).copied());
    let is_wide = WIDEST.iter().any(|(known, widest)| family == Some(*known) && len.is_some_and(|len| len <= *widest));
    let table = route.get(4).copied().map_or(0, u32::from);
    let named = route.get(12..).and_then(|rest| attributes(rest).find(|(kind, _)| *kind == RTA_TABLE));
    let table = named.and_then(|(_, table)| number(table)).unwrap_or(table);
    let mut widths = Widths::default();
    weigh(route, &BTreeSet::from([table]), &BTreeMap::new(), &mut widths);
    is_wide || local(route).is_some() || !widths.outside().is_subset(watched)
}

/// The tables that rules lead to.
fn tables(connection: &Connection, family: u8) -> BTreeSet<u32> {
    const FRA_TABLE: u16 = 15;
    let mut tables = BTreeSet::new();
    let mut body = [0; 12];
    body[0] = family;
    let dumped = connection.dump(RTM_GETRULE, &body, |_, rule| {
        let (Some(header), Some(rest)) = (rule.get(..12), rule.get(12..)) else { return };
        let (table, action) = (header[4], header[7]);
        if action == FR_ACT_TO_TBL {
            // An attribute has the table where its number does not fit the header.
            let named = attributes(rest).find(|(kind, _)| *kind == FRA_TABLE).and_then(|(_, table)| number(table));
            tables.insert(named.unwrap_or(table.into()));
        }
    });
    // A kernel without policy routing has no rules.
    if dumped.is_err() || tables.is_empty() {
        tables.extend([RT_TABLE_MAIN, RT_TABLE_DEFAULT]);
    }
    tables
}

/// The interfaces of nexthop objects, by id: with a sysctl, the kernel names the hops of routes by id only.
fn nexthops(connection: &Connection) -> BTreeMap<u32, Vec<u32>> {
    const NHA_ID: u16 = 1;
    const NHA_GROUP: u16 = 2;
    const NHA_OIF: u16 = 5;
    const MEMBER: usize = 8;
    let (mut hops, mut groups) = (BTreeMap::new(), Vec::new());
    let dumped = connection.dump(RTM_GETNEXTHOP, &[0; 8], |_, nexthop| {
        let Some(rest) = nexthop.get(8..) else { return };
        let Some(id) = find(rest, NHA_ID).and_then(number) else { return };
        if let Some(members) = find(rest, NHA_GROUP) {
            groups.push((id, members.chunks(MEMBER).filter_map(number).collect::<Vec<_>>()));
        } else if let Some(index) = find(rest, NHA_OIF).and_then(number) {
            hops.insert(id, vec![index]);
        }
    });
    if let Err(error) = dumped {
        log::debug!("this kernel has no nexthop objects: {error:#}");
    }
    for (id, members) in groups {
        let all = members.iter().filter_map(|member| hops.get(member)).flatten().copied().collect();
        hops.insert(id, all);
    }
    hops
}

/// Adds what is routed through the interfaces of a route.
fn weigh(route: &[u8], tables: &BTreeSet<u32>, nexthops: &BTreeMap<u32, Vec<u32>>, widths: &mut Widths) {
    const RTA_GATEWAY: u16 = 5;
    const RTA_VIA: u16 = 18;
    const RTA_MULTIPATH: u16 = 9;
    const RTA_NH_ID: u16 = 30;
    let (Some(header), Some(rest)) = (route.get(..12), route.get(12..)) else { return };
    let (family, len, table, kind) = (header[0], header[1], header[4], header[7]);
    let is_cloned = number(&header[8..]).is_some_and(|flags| flags & RTM_F_CLONED != 0);
    if kind != RTN_UNICAST || is_cloned {
        return;
    }
    let (mut dst, mut table, mut indexes, mut by_id) = (&[][..], u32::from(table), Vec::new(), None);
    let mut has_gateway = false;
    for (kind, payload) in attributes(rest) {
        match kind {
            RTA_DST => dst = payload,
            RTA_TABLE => table = number(payload).unwrap_or(table),
            RTA_OIF => indexes.extend(number(payload)),
            RTA_GATEWAY | RTA_VIA => has_gateway = true,
            RTA_MULTIPATH => indexes.extend(hops(payload)),
            RTA_NH_ID => by_id = number(payload),
            _ => {}
        }
    }
    if !tables.contains(&table) {
        return;
    }
    // Behind a gateway, however few they are.
    let (width, wide) = match (family, has_gateway) {
        (AF_INET, true) => (width_v4(dst, len), WIDE_V4),
        (AF_INET, false) => (width_v4(dst, len), 0),
        (_, true) => (width_v6(dst, len.min(64)), WIDE_V6),
        (_, false) => (width_v6(dst, len), 0),
    };
    if width == 0 {
        return;
    }
    if indexes.is_empty() {
        indexes.extend(by_id.and_then(|id| nexthops.get(&id)).into_iter().flatten());
    }
    indexes.sort_unstable();
    indexes.dedup();
    indexes.into_iter().for_each(|index| widths.add(family, index, width.max(wide)));
}

/// How many public addresses the prefix has, at least.
fn width_v4(dst: &[u8], len: u8) -> u64 {
    let addr = Ipv4Addr::from(dst.first_chunk().copied().unwrap_or_default());
    let is_inside =
        |(special, special_len): &(Ipv4Addr, u8)| len >= *special_len && same_prefix_v4(addr, *special, *special_len);
    if len > 32 || SPECIAL.iter().any(is_inside) { 0 } else { 1 << (32 - len) }
}

fn same_prefix_v4(one: Ipv4Addr, other: Ipv4Addr, len: u8) -> bool {
    (one.to_bits() ^ other.to_bits()) >> (32 - u32::from(len)) == 0
}

/// How many global /64 the prefix has.
fn width_v6(dst: &[u8], len: u8) -> u64 {
    let addr = Ipv6Addr::from(dst.first_chunk().copied().unwrap_or_default());
    let (global, global_len) = GLOBAL;
    let common = len.min(global_len);
    let differs = addr.to_bits() ^ global.to_bits();
    let is_global = differs.checked_shr(128 - u32::from(common)).unwrap_or(0) == 0;
    // A wider one has all of it.
    if is_global && len <= 64 { 1 << (64 - len.max(global_len)) } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::attribute;

    const MAIN: u32 = RT_TABLE_MAIN;

    /// A route as the kernel writes it.
    fn route(prefix: &str, table: u32, kind: u8, rest: &[Vec<u8>]) -> Vec<u8> {
        let (addr, len) = prefix.split_once('/').unwrap_or((prefix, "0"));
        let addr: std::net::IpAddr = addr.parse().unwrap_or(Ipv4Addr::UNSPECIFIED.into());
        let len = len.parse().unwrap_or(0);
        let (family, octets) = match addr {
            std::net::IpAddr::V4(v4) => (AF_INET, v4.octets().to_vec()),
            std::net::IpAddr::V6(v6) => (AF_INET6, v6.octets().to_vec()),
        };
        let mut bytes = vec![family, len, 0, 0, u8::try_from(table).unwrap_or(252), 0, 0, kind, 0, 0, 0, 0];
        bytes.extend(attribute(15, &table.to_ne_bytes()));
        if len > 0 {
            bytes.extend(attribute(1, &octets));
        }
        bytes.extend(rest.concat());
        bytes
    }

    fn through(index: u32) -> Vec<u8> {
        attribute(4, &index.to_ne_bytes())
    }

    fn lead_out(tables: &[u32], routes: &[Vec<u8>]) -> Vec<u32> {
        let nexthops = BTreeMap::from([(7, vec![30, 31])]);
        let tables = tables.iter().copied().collect();
        let mut widths = Widths::default();
        routes.iter().for_each(|route| weigh(route, &tables, &nexthops, &mut widths));
        widths.outside().into_iter().collect()
    }

    #[test]
    fn a_default_route_leads_out_in_each_table_that_a_rule_leads_to() {
        let unicast = |prefix, table, index| route(prefix, table, RTN_UNICAST, &[through(index)]);
        let routes = [unicast("0.0.0.0/0", MAIN, 2), unicast("0.0.0.0/0", 51820, 3), unicast("::/0", 2, 4)];
        assert_eq!(lead_out(&[MAIN], &routes), [2]);
        assert_eq!(lead_out(&[MAIN, 51820], &routes), [2, 3]);
        assert_eq!(lead_out(&[2], &routes), [4]);
        const RTN_BLACKHOLE: u8 = 6;
        assert!(lead_out(&[MAIN], &[route("0.0.0.0/0", MAIN, RTN_BLACKHOLE, &[through(2)])]).is_empty());
    }

    #[test]
    fn halves_and_long_lists_lead_out_and_private_networks_do_not() {
        let via = |prefixes: &[&str]| -> Vec<Vec<u8>> {
            prefixes.iter().map(|prefix| route(prefix, MAIN, RTN_UNICAST, &[through(5)])).collect()
        };
        for wide in [
            &["0.0.0.0/1", "128.0.0.0/1"][..],
            &["128.0.0.0/1"],
            &["::/1", "8000::/1"],
            &["2000::/3"],
            &["2400::/12"],
            &["20.0.0.0/8"],
            &["11.0.0.0/9", "11.128.0.0/9"],
            &["1.0.0.0/10", "2.0.0.0/10", "3.0.0.0/10", "4.0.0.0/10"],
        ] {
            assert_eq!(lead_out(&[MAIN], &via(wide)), [5], "{wide:?}");
        }
        for narrow in [
            &["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16"][..],
            &["198.51.100.0/24", "203.0.113.7/32"],
            &["11.0.0.0/9"],
            &["224.0.0.0/4", "127.0.0.0/8"],
            &["fc00::/7", "fe80::/64", "ff00::/8", "8000::/1"],
            &["2001:db8::/32", "2001:db8:1::/48"],
        ] {
            assert!(lead_out(&[MAIN], &via(narrow)).is_empty(), "{narrow:?}");
        }
    }

    #[test]
    fn a_route_of_several_hops_leaves_through_each() {
        let hop = |index: u32| [8u16.to_ne_bytes().as_slice(), &[0, 0], &index.to_ne_bytes()].concat();
        let several = attribute(9, &[hop(3), hop(4)].concat());
        assert_eq!(lead_out(&[MAIN], &[route("0.0.0.0/0", MAIN, RTN_UNICAST, &[several])]), [3, 4]);
        let by_id = attribute(30, &7u32.to_ne_bytes());
        assert_eq!(lead_out(&[MAIN], &[route("0.0.0.0/0", MAIN, RTN_UNICAST, &[by_id])]), [30, 31]);
    }

    #[test]
    fn what_is_cut_off_is_no_route() {
        let whole = route("0.0.0.0/0", MAIN, RTN_UNICAST, &[through(2)]);
        for len in 0..whole.len() {
            assert!(lead_out(&[MAIN], &[whole[..len].to_vec()]).is_empty(), "{len}");
        }
    }

    #[test]
    fn a_gateway_to_public_addresses_leads_out_however_few_they_are() {
        let by = |prefix, gateway: &[u8]| route(prefix, MAIN, RTN_UNICAST, &[through(5), attribute(5, gateway)]);
        for prefix in ["198.51.100.80/32", "203.0.113.0/24"] {
            assert_eq!(lead_out(&[MAIN], &[by(prefix, &[10, 8, 0, 1])]), [5], "{prefix}");
        }
        assert_eq!(lead_out(&[MAIN], &[by("2001:db8::80/128", &[0xfe; 16])]), [5]);
        // Nodes of a cluster, and networks of the house.
        for prefix in ["10.42.1.0/24", "192.168.7.0/24", "fd00:1::/64"] {
            assert!(lead_out(&[MAIN], &[by(prefix, &[10, 8, 0, 1])]).is_empty(), "{prefix}");
        }
    }

    #[test]
    fn a_local_route_makes_a_prefix_the_nodes_own() {
        let made = route("203.0.113.64/28", 255, 2, &[through(1)]);
        let held = local(&made).unwrap();
        assert_eq!((held.ifindex, held.prefix, held.kind), (1, 96 + 28, Held::LocalRoute));
        assert!(matters(&made, &BTreeSet::new()));
        let mut of_an_address = made;
        of_an_address[5] = 2;
        assert_eq!(local(&of_an_address), None);
        assert_eq!(local(&route("203.0.113.64/28", MAIN, RTN_UNICAST, &[through(1)])), None);
    }

    #[test]
    fn only_routes_that_may_lead_out_have_the_uplinks_read_again() {
        let none = BTreeSet::new();
        assert!(matters(&route("0.0.0.0/1", MAIN, RTN_UNICAST, &[]), &none));
        assert!(matters(&route("2000::/3", MAIN, RTN_UNICAST, &[]), &none));
        assert!(!matters(&route("10.42.0.7/32", MAIN, RTN_UNICAST, &[]), &none) && !matters(&[], &none));
        let by_gateway = route("198.51.100.0/24", MAIN, RTN_UNICAST, &[through(5), attribute(5, &[10, 8, 0, 1])]);
        assert!(matters(&by_gateway, &none) && !matters(&by_gateway, &BTreeSet::from([5])));
    }
}
