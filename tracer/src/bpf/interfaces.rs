//! The interfaces that `wire` is attached to: those that lead to the outside, or those that the user named. Followed while they
//! come, go, and are renamed or made again, and while routes and rules lead elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::bail;
use nix::libc::{
    RTM_DELADDR, RTM_DELLINK, RTM_DELROUTE, RTM_DELTFILTER, RTM_NEWADDR, RTM_NEWLINK, RTM_NEWQDISC, RTM_NEWROUTE,
};

use super::links::{self, Held, HeldAddress, Link};
use super::lower::{self, Lower};
use super::monitor::Monitor;
use super::routes;
use crate::netlink::Connection;
use crate::netlink::link::LinkMessage;
use crate::netns::Netns;

/// At least so long between two looks, and so many times as long as the last one took: routers have a million routes.
const PAUSE: Duration = Duration::from_millis(200);
const PAUSE_FACTOR: u32 = 10;

/// An interface that connections leave through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Interface {
    /// Index into the list of namespaces.
    pub(super) netns: usize,
    pub(super) inum: u32,
    pub(super) name: String,
    pub(super) index: u32,
    /// Whether packets on it begin with an Ethernet header.
    pub(super) has_ethernet: bool,
    /// Whether it leads to the outside. One that the user named may not.
    pub(super) is_uplink: bool,
    /// `LINK_*`
    pub(super) link: u8,
    /// Indexes of the uplinks that are watched here instead, below them.
    pub(super) uppers: Vec<u32>,
}

impl Interface {
    /// Inode number of its namespace, and its index there.
    pub(super) const fn key(&self) -> (u32, u32) {
        (self.inum, self.index)
    }

    /// Whether one of the two is looked at instead of the other.
    pub(super) fn replaces(&self, other: &Self) -> bool {
        self.uppers.contains(&other.index) || other.uppers.contains(&self.index)
    }
}

/// What has changed in a namespace.
#[derive(Debug, Default)]
pub(super) struct Change {
    /// Interfaces to watch from now on, if that was looked at.
    pub(super) interfaces: Option<Vec<Interface>>,
    /// Indexes of interfaces that went away, or may have: one with the same index is another one.
    pub(super) gone: BTreeSet<u32>,
    /// Indexes of all interfaces that were announced to be gone.
    pub(super) unlinked: BTreeSet<u32>,
    /// Addresses that are new, and that are no longer.
    pub(super) added: Vec<HeldAddress>,
    pub(super) removed: Vec<HeldAddress>,
    /// Interfaces with a network of other hosts that are not watched, and were not reported yet.
    pub(super) unwatched: Vec<Interface>,
    /// Whether filters of TC may have changed.
    pub(super) has_filters: bool,
}

/// Routes to single hosts of other interfaces' networks that are kept.
const MAX_HOST_ROUTES: usize = 1024;

/// What was read of a namespace.
struct NetnsInterfaces {
    wanted: Vec<Interface>,
    /// Those that are not watched and lead to other hosts.
    others: Vec<Interface>,
    /// The prefixes of local routes.
    local: Vec<HeldAddress>,
    /// Single addresses with a route of their own.
    hosts: Vec<HeldAddress>,
    /// Interfaces above those that are watched instead of an uplink, and others of the segment of a watched one, each with that one.
    above: Vec<(u32, u32)>,
    /// The watched ones, each with the devices that send for it.
    below: Vec<(u32, u32)>,
}

/// A namespace whose interfaces are followed.
pub(super) struct FollowedNetns {
    netns: usize,
    /// Inode number of the namespace.
    pub(super) inum: u32,
    connection: Connection,
    monitor: Monitor,
    /// As they were read last.
    pub(super) addresses: BTreeSet<HeldAddress>,
    /// The interfaces with a network of other hosts that are not watched, and were reported.
    pub(super) unwatched: Vec<Interface>,
    /// Something was announced that has not been looked at yet, so everything is read by the next call of `follow`.
    pub(super) has_changed: bool,
    gone: BTreeSet<u32>,
    has_filters: bool,
    pub(super) lower: Lower,
    /// Uplinks that are watched on the devices below them.
    uppers: BTreeSet<u32>,
    /// Watched bridges, each with its ports to the outside, none of which is watched.
    pub(super) bridges: Vec<(String, Vec<String>)>,
    not_before: Instant,
}

impl FollowedNetns {
    /// Announcements count from here on, so what is read after it misses nothing.
    pub(super) fn open(netns: usize, namespace: &Netns) -> anyhow::Result<Self> {
        let (monitor, connection) = namespace.run(|| Ok((Monitor::open()?, Connection::open()?)))?;
        Ok(Self {
            netns,
            inum: namespace.inum()?,
            connection,
            monitor,
            addresses: BTreeSet::new(),
            unwatched: Vec::new(),
            has_changed: false,
            gone: BTreeSet::new(),
            has_filters: false,
            lower: Lower::default(),
            uppers: BTreeSet::new(),
            bridges: Vec::new(),
            not_before: Instant::now(),
        })
    }

    /// Everything as it is now.
    pub(super) fn look(&mut self, namespace: &Netns, names: &[String]) -> anyhow::Result<Change> {
        let started = Instant::now();
        (self.has_changed, self.has_filters) = (false, false);
        let NetnsInterfaces { wanted, mut others, local, hosts, above, below } = self.interfaces(namespace, names)?;
        let mut addresses = links::addresses(&self.connection)?;
        for (upper, ifindex) in above {
            let held: Vec<_> = addresses.iter().filter(|held| held.ifindex == upper).copied().collect();
            addresses.extend(held.into_iter().map(|held| HeldAddress { ifindex, ..held }));
        }
        addresses.extend(local);
        let is_of_other =
            |host: &HeldAddress| addresses.iter().any(|held| held.ifindex != host.ifindex && held.has_in_network(host));
        let hosts: Vec<_> = hosts.into_iter().filter(is_of_other).take(MAX_HOST_ROUTES).collect();
        addresses.extend(hosts);
        let has_network = |index| {
            addresses.iter().any(|held| held.ifindex == index && held.kind == Held::Address && held.prefix < 128)
        };
        others.retain(|interface| has_network(interface.index));
        let unwatched = others.iter().filter(|interface| !self.unwatched.contains(interface)).cloned().collect();
        self.unwatched = others;
        // What a device below an uplink drops of it was on its way.
        let mut sent_by = Vec::new();
        for (uplink, device) in below {
            let held = addresses.iter().filter(|held| held.ifindex == uplink && held.kind == Held::Address);
            sent_by.extend(held.map(|held| HeldAddress { ifindex: device, kind: Held::Sender, ..*held }));
        }
        addresses.extend(sent_by);
        let change = Change {
            interfaces: Some(wanted),
            unwatched,
            gone: std::mem::take(&mut self.gone),
            unlinked: BTreeSet::new(),
            added: addresses.difference(&self.addresses).copied().collect(),
            removed: self.addresses.difference(&addresses).copied().collect(),
            has_filters: true,
        };
        self.addresses = addresses;
        self.not_before = Instant::now() + PAUSE.max(started.elapsed() * PAUSE_FACTOR);
        Ok(change)
    }

    /// What has changed since the last call.
    pub(super) fn follow(
        &mut self,
        namespace: &Netns,
        names: &[String],
        watched: &BTreeSet<u32>,
        is_due: bool,
    ) -> anyhow::Result<Change> {
        let (mut has_changed, mut has_filters) = (self.has_changed, self.has_filters);
        let mut unlinked = BTreeSet::new();
        let has_missed = self.monitor.read(|kind, body| match kind {
            RTM_NEWLINK | RTM_DELLINK => {
                let Some(link) = LinkMessage::parse(body) else { return };
                let is_known =
                    |index| watched.contains(&index) || self.uppers.contains(&index) || self.lower.has(index);
                has_changed |= is_known(link.index) || link.master.is_some_and(is_known);
                has_changed |= names.iter().any(|named| named == link.name);
                if kind == RTM_DELLINK {
                    unlinked.insert(link.index);
                }
            }
            RTM_NEWADDR | RTM_DELADDR => has_changed = true,
            RTM_NEWROUTE => has_changed |= routes::matters(body, watched),
            RTM_DELROUTE => has_changed |= routes::matters(body, &BTreeSet::new()),
            // Filters and qdiscs; an interface that is watched is looked at.
            RTM_NEWQDISC..=RTM_DELTFILTER => has_filters = true,
            // Rules and nexthop objects.
            _ => has_changed = true,
        })?;
        if has_missed {
            log::info!("the kernel announced more changes than could be kept: everything is read again");
            unlinked.extend(watched);
        }
        self.gone.extend(unlinked.intersection(watched));
        has_changed = has_changed || (has_filters || is_due) && self.lower.has_changed(namespace)?;
        (self.has_changed, self.has_filters) = (has_changed || has_missed, has_filters);
        if self.has_changed && Instant::now() >= self.not_before {
            return Ok(Change { unlinked, ..self.look(namespace, names)? });
        }
        Ok(Change { unlinked, has_filters: std::mem::take(&mut self.has_filters), ..Change::default() })
    }

    /// The named interfaces that there are; without names those that lead to the outside, or the devices below them. And what else is
    /// of interest.
    fn interfaces(&mut self, namespace: &Netns, names: &[String]) -> anyhow::Result<NetnsInterfaces> {
        let links = links::all(&self.connection)?;
        let routes::Routes { outside, local, hosts } = routes::read(&self.connection, &links::vrfs(&links))?;
        let is_wanted = |link: &&Link| match names {
            [] => outside.contains(&link.index) && !link.is_loopback,
            _ => names.contains(&link.name),
        };
        let wanted: Vec<_> = links.values().filter(is_wanted).map(|link| link.index).collect();
        let uplinks = if names.is_empty() { &wanted[..] } else { &[] };
        self.lower.read(namespace, &links, uplinks)?;
        let mut places: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for &index in &wanted {
            // What the user named is watched itself.
            for place in if names.is_empty() { self.lower.places(&links, index) } else { vec![index] } {
                let uppers = places.entry(place).or_default();
                uppers.extend((place != index).then_some(index));
            }
        }
        self.uppers = places.values().flatten().copied().collect();
        let sends_for_uplink = |index| outside.iter().any(|uplink| lower::senders(&links, *uplink).contains(&index));
        let interface = |link: &Link| {
            let uppers = places.get(&link.index).cloned().unwrap_or_default();
            Interface {
                netns: self.netns,
                inum: self.inum,
                index: link.index,
                has_ethernet: link.has_ethernet,
                is_uplink: outside.contains(&link.index) || !uppers.is_empty() || sends_for_uplink(link.index),
                link: link.flags,
                name: link.name.clone(),
                uppers,
            }
        };
        let (watched, others): (Vec<_>, Vec<_>) = links.values().partition(|link| places.contains_key(&link.index));
        let mut wanted: Vec<_> = watched.into_iter().map(interface).collect();
        wanted.sort_by(|one, other| one.name.cmp(&other.name));
        let is_other = |link: &&Link| link.is_nic && !self.uppers.contains(&link.index);
        let others = others.into_iter().filter(is_other).map(interface).collect();
        let has_uppers = |place: u32| places.get(&place).is_some_and(|uppers| !uppers.is_empty());
        let sent_by = |place: u32| {
            // The user may have named a port of a bridge.
            let is_sender = has_uppers(place) || sends_for_uplink(place);
            let above = is_sender.then(|| lower::above(&links, place)).into_iter().flatten();
            above.chain(lower::of_segment(&links, place)).map(move |upper| (upper, place)).collect::<Vec<_>>()
        };
        let above = wanted.iter().flat_map(|uplink| sent_by(uplink.index)).collect();
        let below = wanted
            .iter()
            .flat_map(|uplink| lower::senders(&links, uplink.index).into_iter().map(|device| (uplink.index, device)));
        let below = below.collect();
        let ports_of =
            |interface: &Interface| (interface.name.clone(), lower::ports_to_outside(&links, interface.index));
        let is_unseen = |(_, ports): &(String, Vec<&Link>)| {
            !ports.is_empty() && !ports.iter().any(|port| places.contains_key(&port.index))
        };
        let unseen = wanted.iter().map(ports_of).filter(is_unseen);
        self.bridges =
            unseen.map(|(bridge, ports)| (bridge, ports.into_iter().map(|port| port.name.clone()).collect())).collect();
        Ok(NetnsInterfaces { wanted, others, local, hosts, above, below })
    }
}

/// Looks into all namespaces: ways to follow them, and the interfaces.
pub(super) fn follow_all(
    namespaces: &[Netns],
    names: &[String],
) -> anyhow::Result<(Vec<FollowedNetns>, Vec<Interface>)> {
    let (mut followed, mut interfaces) = (Vec::new(), Vec::new());
    for (netns, namespace) in namespaces.iter().enumerate() {
        let mut space = FollowedNetns::open(netns, namespace)?;
        interfaces.extend(space.look(namespace, names)?.interfaces.unwrap_or_default());
        followed.push(space);
    }
    match names.iter().find(|name| !interfaces.iter().any(|interface| interface.name == **name)) {
        Some(missing) => bail!("unknown interface {}: `ip link` lists those that exist here", missing.escape_debug()),
        None => Ok((followed, interfaces)),
    }
}
