//! Which interfaces have a default route.

use std::collections::BTreeSet;

use anyhow::Context as _;
use netlink_packet_core::{NLM_F_DUMP, NLM_F_REQUEST};
use netlink_packet_route::route::{RouteAttribute, RouteHeader, RouteMessage, RouteType};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use super::netlink;

/// Indexes of the interfaces with a default route in the main table, of the namespace of this thread.
///
/// Other tables are for some packets only: a default route there, as for policy routing or a VRF, makes no uplink.
pub(super) fn defaults() -> anyhow::Result<BTreeSet<u32>> {
    let mut found = of_family(AddressFamily::Inet)?;
    // Fails where IPv6 is off.
    found.extend(of_family(AddressFamily::Inet6).unwrap_or_default());
    Ok(found)
}

fn of_family(family: AddressFamily) -> anyhow::Result<BTreeSet<u32>> {
    let mut asked = RouteMessage::default();
    asked.header.address_family = family;
    let answers = netlink::request(RouteNetlinkMessage::GetRoute(asked), NLM_F_REQUEST | NLM_F_DUMP)
        .context("cannot list the routes")?;
    let routes = answers
        .iter()
        .filter_map(|answer| if let RouteNetlinkMessage::NewRoute(route) = answer { Some(route) } else { None });
    Ok(routes.filter(|route| is_default(route)).flat_map(interfaces).collect())
}

/// A route to everything, in the main table, that does not reject.
fn is_default(route: &RouteMessage) -> bool {
    let RouteHeader { destination_prefix_length, table, kind, .. } = route.header;
    // An attribute has the table where its number does not fit the header.
    let table = route
        .attributes
        .iter()
        .find_map(|attribute| if let RouteAttribute::Table(table) = attribute { Some(*table) } else { None })
        .unwrap_or(table.into());
    destination_prefix_length == 0 && table == u32::from(RouteHeader::RT_TABLE_MAIN) && kind == RouteType::Unicast
}

/// Those that the route leaves through.
fn interfaces(route: &RouteMessage) -> Vec<u32> {
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

#[cfg(test)]
mod tests {
    use netlink_packet_route::route::RouteNextHop;

    use super::*;

    fn route(table: u8, length: u8, kind: RouteType, attributes: Vec<RouteAttribute>) -> RouteMessage {
        let mut route = RouteMessage::default();
        route.header = RouteHeader { table, destination_prefix_length: length, kind, ..route.header };
        route.attributes = attributes;
        route
    }

    #[test]
    fn only_the_main_table_has_default_routes_and_only_those_that_deliver() {
        let (main, unicast) = (RouteHeader::RT_TABLE_MAIN, RouteType::Unicast);
        let through = || vec![RouteAttribute::Oif(2)];
        assert!(is_default(&route(main, 0, unicast, through())));
        assert!(!is_default(&route(100, 0, unicast, through())));
        assert!(!is_default(&route(main, 24, unicast, through())));
        assert!(!is_default(&route(main, 0, RouteType::Unreachable, through())));
        // Numbers above 255 are in an attribute, and the header has RT_TABLE_COMPAT.
        assert!(!is_default(&route(252, 0, unicast, vec![RouteAttribute::Table(1000)])));
    }

    #[test]
    fn a_route_of_several_hops_leaves_through_each() {
        let hop = |index| {
            let mut hop = RouteNextHop::default();
            hop.interface_index = index;
            hop
        };
        let hops = vec![RouteAttribute::MultiPath(vec![hop(3), hop(4)])];
        assert_eq!(interfaces(&route(RouteHeader::RT_TABLE_MAIN, 0, RouteType::Unicast, hops)), [3, 4]);
    }
}
