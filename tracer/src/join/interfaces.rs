//! `uplink` and `address`: the interfaces that were watched, and the addresses of the node.

use std::collections::{HashMap, HashSet};

use foldhash::fast::FixedState;
use tracer_common::Flow;
use tracer_common::events::{
    ADDRESS_ADDED, Address, HOST_ROUTE_ADDED, HOST_ROUTE_REMOVED, LINK_ENCAPSULATES, LOCAL_ROUTE_ADDED,
    LOCAL_ROUTE_REMOVED, SENDER_ADDED, SENDER_REMOVED, UPLINK_BLIND, UPLINK_WATCHED, Uplink,
};

use crate::model::{Egress, InterfaceName, SourceAddress, Watch, is_private};

/// Addresses kept at most; beyond that [`Interfaces::owner_of`] no longer says that no interface has an address.
const MAX_ADDRESSES: usize = 65_536;
/// Local routes, routes to single hosts, networks, and devices that send for others kept at most, each; beyond that many local routes
/// [`Interfaces::owner_of`] does not say so either.
const MAX_ROUTES: usize = 1024;
/// The number of no interface.
pub(super) const NO_INTERFACE: u16 = 0;

/// An interface, by its namespace (0 where the event does not say it) and index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct InterfaceKey {
    netns: u32,
    index: u32,
}

/// What an `uplink` event said of an interface.
#[derive(Clone, Copy, Debug)]
struct WatchedInterface {
    name: InterfaceName,
    encapsulates: bool,
    state: u8,
}

#[derive(Clone, Copy, Debug)]
struct Holder {
    place: InterfaceKey,
    /// When the interface lost the address
    removed_ns: Option<u64>,
}

/// A local route: the node accepts packets to all addresses of its prefix.
#[derive(Clone, Copy, Debug)]
struct LocalRoute {
    holder: Holder,
    prefix: Prefix,
}

/// Addresses that begin with the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Prefix {
    bits: u128,
    len: u8,
}

impl Prefix {
    fn has(self, addr: &[u8; 16]) -> bool {
        (self.bits ^ u128::from_be_bytes(*addr)).checked_shr(128 - u32::from(self.len.min(128))).unwrap_or(0) == 0
    }
}

#[derive(Debug, Default)]
pub(super) struct Interfaces {
    /// By number less one; attempts name interfaces by number, in two bytes.
    places: Vec<InterfaceKey>,
    numbers: HashMap<InterfaceKey, u16, FixedState>,
    /// The newest that was asked for: nearly every SYN leaves by the same interface.
    newest: Option<(InterfaceKey, u16)>,
    links: HashMap<InterfaceKey, WatchedInterface, FixedState>,
    /// Numbers of interfaces that encapsulate
    tunnels: Vec<u16>,
    holders: HashMap<[u8; 16], Vec<Holder>, FixedState>,
    addresses: usize,
    local_routes: Vec<LocalRoute>,
    /// Those that the interfaces have, or had, an address of
    networks: Vec<(InterfaceKey, Prefix)>,
    /// The interfaces that routes to single hosts lead out of, by namespace and address
    host_routes: HashMap<(u32, [u8; 16]), u32, FixedState>,
    /// Interfaces that send for one that has the address
    senders: HashSet<(InterfaceKey, [u8; 16]), FixedState>,
    /// Namespaces whose addresses are known
    listed: Vec<u32>,
    is_over_limit: bool,
    /// When the watched interfaces changed last
    changed_ns: u64,
}

impl Interfaces {
    /// The number of an interface.
    #[inline]
    pub(super) fn number(&mut self, netns: u32, index: u32) -> u16 {
        let place = InterfaceKey { netns, index };
        match self.newest {
            Some((newest, number)) if newest == place => number,
            _ => self.find_number(place),
        }
    }

    #[cold]
    fn find_number(&mut self, place: InterfaceKey) -> u16 {
        let number = self.numbers.get(&place).copied().unwrap_or_else(|| {
            let Ok(next) = u16::try_from(self.places.len() + 1) else { return NO_INTERFACE };
            self.places.push(place);
            self.numbers.insert(place, next);
            next
        });
        self.note_tunnel(number);
        self.newest = Some((place, number));
        number
    }

    /// Network namespace and index of the interface with this number; 0 for none.
    pub(super) fn place_of(&self, number: u16) -> (u32, u32) {
        self.place(number).map_or((0, 0), |place| (place.netns, place.index))
    }

    fn place(&self, number: u16) -> Option<InterfaceKey> {
        self.places.get(usize::from(number).checked_sub(1)?).copied()
    }

    /// Where the interface is by its `uplink` event. Without a namespace its index must name one interface only.
    fn watched_place(&self, number: u16) -> Option<InterfaceKey> {
        let place = self.place(number)?;
        if place.netns != 0 {
            return Some(place);
        }
        let mut same = self.links.keys().filter(|other| other.index == place.index);
        same.next().copied().filter(|_| same.next().is_none())
    }

    fn link(&self, number: u16) -> Option<&WatchedInterface> {
        self.links.get(&self.watched_place(number)?)
    }

    pub(super) fn name(&self, number: u16) -> InterfaceName {
        self.link(number).map_or_else(InterfaceName::default, |link| link.name)
    }

    #[inline]
    pub(super) fn encapsulates(&self, number: u16) -> bool {
        !self.tunnels.is_empty() && self.tunnels.contains(&number)
    }

    fn note_tunnel(&mut self, number: u16) {
        let is_noted = self.tunnels.contains(&number);
        if !is_noted && self.link(number).is_some_and(|link| link.encapsulates) {
            self.tunnels.push(number);
        }
    }

    /// An interface is watched from now on, or no longer.
    pub(super) fn uplink(&mut self, event: &Uplink) {
        let place = InterfaceKey { netns: event.stamp.netns, index: event.ifindex };
        let encapsulates = event.link & LINK_ENCAPSULATES != 0;
        if self.links.len() >= usize::from(u16::MAX) && !self.links.contains_key(&place) {
            return;
        }
        let link = WatchedInterface { name: InterfaceName::new(event.name), encapsulates, state: event.state };
        let before = self.links.insert(place, link);
        // A later part of a recording begins with what has not changed.
        if before.is_none_or(|before| before.state != event.state) {
            self.changed_ns = self.changed_ns.max(event.stamp.time_ns);
        }
        if encapsulates {
            for number in 0..=u16::try_from(self.places.len()).unwrap_or(u16::MAX) {
                self.note_tunnel(number);
            }
        }
    }

    /// Whether it is known which namespaces have watched interfaces, and this one has none.
    pub(super) fn is_unwatched(&self, netns: u32) -> bool {
        netns != 0 && !self.links.is_empty() && self.links.keys().all(|place| place.netns != netns)
    }

    /// An interface has an address from now on, or no longer.
    pub(super) fn address(&mut self, event: &Address) {
        let place = InterfaceKey { netns: event.stamp.netns, index: event.ifindex };
        if !self.listed.contains(&place.netns) && self.listed.len() < usize::from(u16::MAX) {
            self.listed.push(place.netns);
        }
        let (host_route, sender) = ((place.netns, event.addr), (place, event.addr));
        match event.state {
            HOST_ROUTE_ADDED if self.host_routes.len() < MAX_ROUTES => {
                self.host_routes.insert(host_route, place.index);
            }
            HOST_ROUTE_REMOVED => {
                self.host_routes.remove(&host_route);
            }
            SENDER_ADDED if self.senders.len() < MAX_ROUTES => {
                self.senders.insert(sender);
            }
            SENDER_REMOVED => {
                self.senders.remove(&sender);
            }
            HOST_ROUTE_ADDED | SENDER_ADDED => {}
            _ => self.own_address(place, event),
        }
    }

    fn own_address(&mut self, place: InterfaceKey, event: &Address) {
        let is_added = matches!(event.state, ADDRESS_ADDED | LOCAL_ROUTE_ADDED);
        let removed_ns = (!is_added).then_some(event.stamp.time_ns);
        let prefix = Prefix { bits: u128::from_be_bytes(event.addr), len: event.prefix };
        if matches!(event.state, LOCAL_ROUTE_ADDED | LOCAL_ROUTE_REMOVED) {
            return self.local_route(LocalRoute { holder: Holder { place, removed_ns }, prefix });
        }
        if self.addresses >= MAX_ADDRESSES {
            self.is_over_limit = true;
            return;
        }
        let is_known =
            |(of, known): &(InterfaceKey, Prefix)| *of == place && known.len <= prefix.len && known.has(&event.addr);
        if self.networks.len() < MAX_ROUTES && !self.networks.iter().any(is_known) {
            self.networks.push((place, prefix));
        }
        let holders = self.holders.entry(event.addr).or_default();
        match holders.iter_mut().find(|holder| holder.place == place) {
            Some(holder) => holder.removed_ns = removed_ns,
            None => {
                holders.push(Holder { place, removed_ns });
                self.addresses += 1;
            }
        }
    }

    fn local_route(&mut self, route: LocalRoute) {
        let is_same =
            |known: &&mut LocalRoute| known.holder.place == route.holder.place && known.prefix == route.prefix;
        if let Some(known) = self.local_routes.iter_mut().find(is_same) {
            *known = route;
        } else if self.local_routes.len() < MAX_ROUTES {
            self.local_routes.push(route);
        } else {
            self.is_over_limit = true;
        }
    }

    /// To whom the source address belonged with which a SYN left by an interface at a time: the fields of [`Egress`] about that.
    pub(super) fn owner_of(&self, source: &[u8; 16], number: u16, at_ns: u64) -> Egress {
        let Some(leaves) = self.watched_place(number).filter(|place| self.listed.contains(&place.netns)) else {
            return Egress::default();
        };
        let has_it = |holder: &&Holder| {
            holder.place.netns == leaves.netns && holder.removed_ns.is_none_or(|removed_ns| removed_ns >= at_ns)
        };
        let owner = |source| Egress { source, ..Egress::default() };
        let local = self.local_routes.iter().filter(|route| route.prefix.has(source)).map(|route| &route.holder);
        let mut holders = self.holders.get(source).into_iter().flatten().chain(local).filter(has_it);
        let Some(first) = holders.clone().find(|holder| holder.place == leaves).or_else(|| holders.next()) else {
            let is_in_network = self.networks.iter().any(|(place, network)| *place == leaves && network.has(source));
            let routed_by = self.host_routes.get(&(leaves.netns, *source));
            let source_is_on_link = is_in_network && routed_by.is_none_or(|index| *index == leaves.index);
            let mut before = self.holders.get(source).into_iter().flatten();
            let source_was_of_node = before.any(|holder| holder.place.netns == leaves.netns);
            let source = if self.is_over_limit { SourceAddress::Unknown } else { SourceAddress::NotOfNode };
            return Egress { source_is_on_link, source_was_of_node, ..owner(source) };
        };
        if first.place == leaves {
            return owner(SourceAddress::OfInterface);
        }
        // The interface of a local route, mostly `lo`, says nothing about where its addresses are meant to leave.
        let link = self.links.get(&first.place);
        Egress {
            source_interface: link.map_or_else(InterfaceName::default, |link| link.name),
            source_interface_is_uplink: link.is_some(),
            source_interface_is_watched: link.is_some_and(|link| link.state == UPLINK_WATCHED),
            ..owner(SourceAddress::OfOtherInterface)
        }
    }

    /// Whether this interface sends for one that has the address.
    pub(super) fn sends_for(&self, address: &[u8; 16], netns: u32, index: u32) -> bool {
        self.senders.contains(&(InterfaceKey { netns, index }, *address))
    }

    /// Whether a SYN leaves to a public address with a private one, by an interface that has public ones too.
    pub(super) fn is_private_among_public(&self, number: u16, translated: &Flow) -> bool {
        let is_from_private = is_private(&translated.src) && !is_private(&translated.dst);
        is_from_private && !self.is_private(number, &translated.src)
    }

    /// Whether the interface has private addresses of the family of this one, and no others.
    pub(super) fn is_private(&self, number: u16, source: &[u8; 16]) -> bool {
        let mut own = self.own_addresses(number, source).peekable();
        own.peek().is_some() && own.all(|addr| is_private(&addr))
    }

    /// Addresses of the interface that are of the family of this one, one of each network.
    pub(super) fn own_addresses(&self, number: u16, source: &[u8; 16]) -> impl Iterator<Item = [u8; 16]> {
        const IPV4: Prefix = Prefix { bits: 0xffff << 32, len: 96 };
        let (leaves, is_ipv4) = (self.watched_place(number), IPV4.has(source));
        let own = self.networks.iter().filter(move |(place, _)| Some(*place) == leaves);
        own.map(|(_, network)| network.bits.to_be_bytes()).filter(move |addr| IPV4.has(addr) == is_ipv4)
    }

    /// Whether every uplink has been watched since a time.
    pub(super) fn watch_since(&self, since_ns: u64) -> Watch {
        if self.links.is_empty() {
            return Watch::Unknown;
        }
        let is_in = |state: u8| self.links.values().any(|link| link.state == state);
        let is_complete = is_in(UPLINK_WATCHED) && !is_in(UPLINK_BLIND) && self.changed_ns <= since_ns;
        if is_complete { Watch::Complete } else { Watch::Incomplete }
    }
}

/// Whether an address belongs to an interface of the node.
pub(super) const fn is_of_node(source: SourceAddress) -> bool {
    match source {
        SourceAddress::OfInterface | SourceAddress::OfOtherInterface => true,
        SourceAddress::Unknown | SourceAddress::NotOfNode => false,
    }
}
