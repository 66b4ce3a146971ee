//! The interfaces that `wire` is attached to: those that lead to the outside, or those that the user named. Followed while they
//! come, go, and are renamed or made again, and while routes and rules lead elsewhere.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::bail;

use super::links::{self, HeldAddress, RTM_DELADDR, RTM_DELLINK, RTM_NEWADDR, RTM_NEWLINK};
use super::netlink::{Connection, Monitor};
use super::routes;
use crate::netns::Netns;

/// Kinds of announcements (linux/rtnetlink.h).
const RTM_NEWROUTE: u16 = 24;
const RTM_DELROUTE: u16 = 25;
const RTM_NEWQDISC: u16 = 36;
const RTM_DELTFILTER: u16 = 45;

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

/// What was read of a namespace.
struct Interfaces {
    wanted: Vec<Interface>,
    /// Those that are not watched and lead to other hosts.
    others: Vec<Interface>,
    /// The prefixes of local routes.
    local: Vec<HeldAddress>,
}

/// A namespace whose interfaces are followed.
pub(super) struct FollowedNetns {
    netns: usize,
    inum: u32,
    connection: Connection,
    monitor: Monitor,
    addresses: BTreeSet<HeldAddress>,
    /// Interfaces that were reported as not watched.
    unwatched: Vec<Interface>,
    /// Something was announced that has not been looked at yet.
    has_changed: bool,
    gone: BTreeSet<u32>,
    has_filters: bool,
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
            not_before: Instant::now(),
        })
    }

    /// Inode number of the namespace.
    pub(super) const fn inum(&self) -> u32 {
        self.inum
    }

    /// The addresses as they were read last.
    pub(super) const fn addresses(&self) -> &BTreeSet<HeldAddress> {
        &self.addresses
    }

    /// The interfaces with a network of other hosts that are not watched.
    pub(super) fn unwatched(&self) -> &[Interface] {
        &self.unwatched
    }

    /// Looks at everything at the next call of `follow`.
    pub(super) const fn read_again(&mut self) {
        self.has_changed = true;
    }

    /// Everything as it is now.
    pub(super) fn look(&mut self, names: &[String]) -> anyhow::Result<Change> {
        let started = Instant::now();
        (self.has_changed, self.has_filters) = (false, false);
        let Interfaces { wanted, mut others, local } = self.interfaces(names)?;
        let mut addresses = links::addresses(&self.connection)?;
        addresses.extend(local);
        let has_network =
            |index| addresses.iter().any(|held| held.ifindex == index && !held.is_route && held.prefix < 128);
        others.retain(|interface| has_network(interface.index));
        let unwatched = others.iter().filter(|interface| !self.unwatched.contains(interface)).cloned().collect();
        self.unwatched = others;
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
    pub(super) fn follow(&mut self, names: &[String], watched: &BTreeSet<u32>) -> anyhow::Result<Change> {
        let (mut has_changed, mut has_filters) = (self.has_changed, self.has_filters);
        let mut unlinked = BTreeSet::new();
        let has_missed = self.monitor.read(|kind, body| match kind {
            RTM_NEWLINK | RTM_DELLINK => {
                let index = links::index(body).unwrap_or_default();
                let is_named = || links::name(body).is_some_and(|name| names.iter().any(|named| named == name));
                has_changed |= watched.contains(&index) || is_named();
                if kind == RTM_DELLINK {
                    unlinked.insert(index);
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
        (self.has_changed, self.has_filters) = (has_changed || has_missed, has_filters);
        if self.has_changed && Instant::now() >= self.not_before {
            return Ok(Change { unlinked, ..self.look(names)? });
        }
        Ok(Change { unlinked, has_filters: std::mem::take(&mut self.has_filters), ..Change::default() })
    }

    /// The named interfaces that there are; without names those that lead to the outside. And what else is of interest.
    fn interfaces(&self, names: &[String]) -> anyhow::Result<Interfaces> {
        let links = links::all(&self.connection)?;
        let routes::Routes { outside, local } = routes::read(&self.connection, &links::vrfs(&links))?;
        let is_wanted = |link: &links::Link| match names {
            [] => outside.contains(&link.index) && link.leaves(),
            _ => names.contains(&link.name),
        };
        let interface = |link: links::Link| Interface {
            netns: self.netns,
            inum: self.inum,
            index: link.index,
            has_ethernet: link.has_ethernet,
            is_uplink: outside.contains(&link.index),
            link: link.flags,
            name: link.name,
        };
        let (wanted, others): (Vec<_>, Vec<_>) = links.into_values().partition(is_wanted);
        let mut wanted: Vec<_> = wanted.into_iter().map(interface).collect();
        wanted.sort_by(|one, other| one.name.cmp(&other.name));
        let others = others.into_iter().filter(|link| link.is_nic).map(interface).collect();
        Ok(Interfaces { wanted, others, local })
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
        interfaces.extend(space.look(names)?.interfaces.unwrap_or_default());
        followed.push(space);
    }
    match names.iter().find(|name| !interfaces.iter().any(|interface| interface.name == **name)) {
        Some(missing) => bail!("unknown interface {}: `ip link` lists those that exist here", missing.escape_debug()),
        None => Ok((followed, interfaces)),
    }
}
