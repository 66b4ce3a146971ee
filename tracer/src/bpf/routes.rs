//! The routes of a namespace, and the tables that rules lead to.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use nix::libc::{AF_INET, AF_INET6, RT_TABLE_DEFAULT, RT_TABLE_MAIN, RTM_GETRULE, RTN_LOCAL, RTPROT_KERNEL, c_int};

use super::links::{Held, HeldAddress};
use super::widths::Widths;
use crate::netlink::route::{self, Route};
use crate::netlink::{Connection, find, number};

/// Kinds of messages, and what a rule does (linux/rtnetlink.h, linux/fib_rules.h).
const RTM_GETNEXTHOP: u16 = 106;
const FR_ACT_TO_TBL: u8 = 1;

/// What the routes of a namespace say.
#[derive(Default)]
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
    let nexthops = nexthops(connection);
    let (mut widths, mut routes) = (Widths::default(), Routes::default());
    for family in [AF_INET, AF_INET6] {
        let mut tables = tables(connection, family);
        tables.extend(vrfs);
        let dumped = route::dump(connection, family, |route| {
            if tables.contains(&route.table) {
                widths.add(route, &nexthops);
            }
            routes.local.extend(local(route));
            routes.hosts.extend(host(route));
        });
        // Fails where IPv6 is off.
        if family == AF_INET {
            dumped.context("cannot list the routes")?;
        }
    }
    Ok(Routes { outside: widths.outside(), ..routes })
}

/// The prefix of a local route; those that the kernel makes for each address are left out.
fn local(route: &Route<'_>) -> Option<HeldAddress> {
    let is_made = route.kind == RTN_LOCAL && route.protocol != RTPROT_KERNEL;
    HeldAddress::new(route.interface.filter(|_| is_made)?, route.dst, route.len, Held::LocalRoute)
}

/// The address of a route to a single host.
fn host(route: &Route<'_>) -> Option<HeldAddress> {
    let is_single = route.is_unicast && route.len == if route.family == AF_INET { 32 } else { 128 };
    HeldAddress::new(route.interface.filter(|_| is_single)?, route.dst, route.len, Held::HostRoute)
}

/// Whether a change of this route may change what leads to the outside; `watched` are interfaces that do already.
pub(super) fn matters(message: &[u8], watched: &BTreeSet<u32>) -> bool {
    let Some(route) = Route::parse(message) else { return false };
    // Narrower ones would have to come by the thousands, unless a gateway is behind them.
    let is_wide = route.len <= if route.family == AF_INET { 16 } else { 32 };
    let mut widths = Widths::default();
    widths.add(&route, &BTreeMap::new());
    is_wide || local(&route).is_some() || !widths.outside().is_subset(watched)
}

/// The tables that rules lead to.
fn tables(connection: &Connection, family: c_int) -> BTreeSet<u32> {
    const FRA_TABLE: u16 = 15;
    let mut tables = BTreeSet::new();
    let mut body = [0; route::HEADER];
    body[0] = family as u8;
    let dumped = connection.dump(RTM_GETRULE, &body, |_, rule| {
        let Some((header, rest)) = rule.split_at_checked(route::HEADER) else { return };
        let (table, action) = (header[4], header[7]);
        if action == FR_ACT_TO_TBL {
            // An attribute has the table where its number does not fit the header.
            tables.insert(find(rest, FRA_TABLE).and_then(number).unwrap_or(table.into()));
        }
    });
    // A kernel without policy routing has no rules.
    if dumped.is_err() || tables.is_empty() {
        tables.extend([RT_TABLE_MAIN, RT_TABLE_DEFAULT].map(u32::from));
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

#[cfg(test)]
mod tests {
    use nix::libc::{RTA_GATEWAY, RTA_OIF, RTN_UNICAST};

    use super::*;
    use crate::netlink::route::tests::route;

    #[test]
    fn a_local_route_makes_a_prefix_the_nodes_own() {
        let by = (RTA_OIF, &1u32.to_ne_bytes()[..]);
        let made = route("203.0.113.64/28", RTN_LOCAL, &[by]);
        let held = local(&Route::parse(&made).unwrap()).unwrap();
        assert_eq!((held.ifindex, held.prefix, held.kind), (1, 96 + 28, Held::LocalRoute));
        assert!(matters(&made, &BTreeSet::new()));
        let mut of_an_address = made;
        of_an_address[5] = RTPROT_KERNEL;
        for other in [of_an_address, route("203.0.113.64/28", RTN_UNICAST, &[by])] {
            assert_eq!(local(&Route::parse(&other).unwrap()), None);
        }
    }

    #[test]
    fn only_routes_that_may_lead_out_have_the_uplinks_read_again() {
        let none = BTreeSet::new();
        let by_gateway = [(RTA_OIF, &5u32.to_ne_bytes()[..]), (RTA_GATEWAY, &[10, 8, 0, 1])];
        for (prefix, attributes, expected) in [
            ("0.0.0.0/1", &[][..], true),
            ("2000::/3", &[], true),
            ("10.42.0.7/32", &[], false),
            ("198.51.100.0/24", &by_gateway, true),
        ] {
            assert_eq!(matters(&route(prefix, RTN_UNICAST, attributes), &none), expected, "{prefix}");
        }
        assert!(!matters(&route("198.51.100.0/24", RTN_UNICAST, &by_gateway), &BTreeSet::from([5])));
        assert!(!matters(&[], &none));
    }
}
