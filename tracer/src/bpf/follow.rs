//! Keeps the programs on the interfaces that lead to the outside while those change, and reports every change: as events, so that
//! a replay knows what was watched when, and as lines for people.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr};

use aya::Ebpf;
use tracer_common::Event;
use tracer_common::events::{
    ADDRESS_ADDED, ADDRESS_REMOVED, Address, HOST_ROUTE_ADDED, HOST_ROUTE_REMOVED, INTERFACE_NAME, LOCAL_ROUTE_ADDED,
    LOCAL_ROUTE_REMOVED, SENDER_ADDED, SENDER_REMOVED, Stamp, UPLINK_BLIND, UPLINK_LEFT, UPLINK_WATCHED, Uplink,
};

use super::filters::NodeMaps;
use super::interfaces::{Change, FollowedNetns, Interface};
use super::links::{Held, HeldAddress};
use super::watched::{Sight, WatchedInterface};
use super::wire::{Became, Wires};

/// How often to look whether programs of others came between: the kernel does not announce those of TCX.
const CHECK_NS: u64 = 1_000_000_000;

/// The namespaces that are followed.
pub(super) struct Follow {
    spaces: Vec<FollowedNetns>,
    names: Vec<String>,
    known: NodeMaps,
    events: Vec<Event>,
    notices: Vec<String>,
    /// Interfaces that are gone, watched or not.
    unlinked: BTreeSet<(u32, u32)>,
    /// Interfaces with programs of others on egress, of which that was said.
    shared: BTreeSet<(u32, u32)>,
    next_check_ns: u64,
}

impl Follow {
    /// From what was found at the start. `ours` are the programs of this run, by id.
    pub(super) fn new(mut spaces: Vec<FollowedNetns>, names: &[String], known: NodeMaps, ours: &BTreeSet<u32>) -> Self {
        spaces.iter_mut().for_each(|space| space.lower.ours.extend(ours));
        Self {
            spaces,
            names: names.to_vec(),
            known,
            events: Vec::new(),
            notices: Vec::new(),
            unlinked: BTreeSet::new(),
            shared: BTreeSet::new(),
            next_check_ns: 0,
        }
    }

    /// Reports the state at the start.
    pub(super) fn begin(&mut self, wires: &Wires, time_ns: u64) -> anyhow::Result<()> {
        self.known.namespaces(self.spaces.iter().map(|space| space.inum))?;
        for watched in &wires.watched {
            let state = if watched.sight == Sight::Blind { UPLINK_BLIND } else { UPLINK_WATCHED };
            self.events.push(uplink(&watched.interface, state, time_ns));
        }
        for space in &self.spaces {
            self.events.extend(space.unwatched.iter().map(|interface| uplink(interface, UPLINK_LEFT, time_ns)));
            self.notices.extend(space.bridges.iter().map(|(bridge, ports)| {
                let (bridge, ports) = (bridge.escape_debug(), ports.join(", "));
                format!(
                    "{bridge} is a bridge: SYNs that its virtual machines and containers send through {ports} are not seen: name \
                     the ports instead of the bridge (--iface), or no interface"
                )
            }));
            self.events.extend(space.addresses.iter().map(|held| address(space.inum, held, true, time_ns)));
        }
        self.share(&wires.watched);
        self.known.watch(&wires.watched)?;
        self.known.own(self.spaces.iter().flat_map(|space| &space.addresses))
    }

    /// Looks for changes and follows them; whether what is watched has changed.
    pub(super) fn poll(&mut self, ebpf: &mut Ebpf, wires: &mut Wires, time_ns: u64) -> anyhow::Result<bool> {
        let (mut has_filters, mut has_changed, mut has_addresses) = (false, false, false);
        for index in 0..self.spaces.len() {
            let Some(space) = self.spaces.get_mut(index) else { break };
            let inum = space.inum;
            let watched = wires.watched.iter().filter(|watched| watched.interface.inum == inum);
            let watched = watched.map(|watched| watched.interface.index).collect();
            let namespace = &wires.namespaces[index];
            let change = space.follow(namespace, &self.names, &watched, time_ns >= self.next_check_ns)?;
            has_filters |= change.has_filters;
            self.unlinked.extend(change.unlinked.iter().map(|index| (inum, *index)));
            has_addresses |= !change.added.is_empty() || !change.removed.is_empty();
            has_changed |= self.change(ebpf, wires, inum, change, time_ns);
        }
        if has_addresses {
            self.known.own(self.spaces.iter().flat_map(|space| &space.addresses))?;
        }
        if has_filters || time_ns >= self.next_check_ns {
            self.next_check_ns = time_ns + CHECK_NS;
            let mut became = wires.leave_unwanted(ebpf, time_ns);
            became.extend(wires.mend(ebpf));
            has_changed |= !became.is_empty();
            became.into_iter().for_each(|(interface, became)| self.report(&interface, became, time_ns));
        }
        self.share(&wires.watched);
        self.known.watch(&wires.watched)?;
        Ok(has_changed)
    }

    /// Has everything read again at the next look: an announcement may have been missed.
    pub(super) fn read_again(&mut self) {
        self.spaces.iter_mut().for_each(|space| space.has_changed = true);
        self.next_check_ns = 0;
    }

    /// Follows a change in one namespace; whether what is watched has changed.
    fn change(&mut self, ebpf: &mut Ebpf, wires: &mut Wires, inum: u32, change: Change, time_ns: u64) -> bool {
        self.events.extend(change.removed.iter().map(|held| address(inum, held, false, time_ns)));
        self.events.extend(change.added.iter().map(|held| address(inum, held, true, time_ns)));
        self.events.extend(change.unwatched.iter().map(|interface| uplink(interface, UPLINK_LEFT, time_ns)));
        let Some(interfaces) = change.interfaces.filter(|_| wires.can_follow()) else { return false };
        let became = wires.update(ebpf, inum, interfaces, &change.gone, time_ns);
        let has_changed = !became.is_empty();
        became.into_iter().for_each(|(interface, became)| self.report(&interface, became, time_ns));
        has_changed
    }

    fn report(&mut self, interface: &Interface, became: Became, time_ns: u64) {
        let name = interface.name.escape_debug();
        let (state, notice) = match became {
            Became::Watched => (Some(UPLINK_WATCHED), format!("watching {name}")),
            Became::Left(why) => (Some(UPLINK_LEFT), format!("no longer watching {name}: {why}")),
            Became::Blind => (
                Some(UPLINK_BLIND),
                format!(
                    "answers that arrive on {name} may not be seen: another program is in front of snatrace's and may end the \
                     chain: `bpftool net show dev {name}` lists them"
                ),
            ),
            Became::Refused(why) => (None, format!("{why}: SYNs that leave through it are not seen")),
        };
        self.events.extend(state.map(|state| uplink(interface, state, time_ns)));
        self.notices.push(notice);
    }

    /// Says once of each interface that programs of others are on its way out.
    fn share(&mut self, watched: &[WatchedInterface]) {
        let shared = watched.iter().filter(|watched| watched.is_by_queue()).map(|watched| &watched.interface);
        let now: BTreeSet<_> = shared.clone().map(Interface::key).collect();
        for interface in shared.filter(|interface| !self.shared.contains(&interface.key())) {
            let name = interface.name.escape_debug();
            self.notices.push(format!(
                "{name} has other TC programs on egress (eBPF masquerade?): snatrace reads SYNs after them"
            ));
        }
        self.shared = now;
    }

    /// All addresses of the namespaces.
    pub(super) fn addresses(&self) -> Vec<IpAddr> {
        let all = self.spaces.iter().flat_map(|space| &space.addresses);
        let all = all.filter(|held| held.kind == Held::Address);
        let all: BTreeSet<_> = all.map(|held| Ipv6Addr::from(held.addr).to_canonical()).collect();
        all.into_iter().collect()
    }

    /// Takes the events that report the changes.
    pub(super) fn events(&mut self, take: &mut impl FnMut(Event)) {
        self.events.drain(..).for_each(take);
    }

    /// Takes the interfaces that are gone since the last call.
    pub(super) fn unlinked(&mut self) -> BTreeSet<(u32, u32)> {
        std::mem::take(&mut self.unlinked)
    }

    /// What is to be said to people.
    pub(super) fn notices(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notices)
    }
}

fn uplink(interface: &Interface, state: u8, time_ns: u64) -> Event {
    let mut name = [0; INTERFACE_NAME];
    name.iter_mut().zip(interface.name.bytes()).for_each(|(to, from)| *to = from);
    let stamp = Stamp { time_ns, kind: Uplink::KIND, netns: interface.inum };
    Uplink { stamp, ifindex: interface.index, state, link: interface.link, unused: [0; 2], name }.into()
}

fn address(netns: u32, held: &HeldAddress, is_added: bool, time_ns: u64) -> Event {
    let HeldAddress { ifindex, addr, prefix, kind } = *held;
    let (added, removed) = match kind {
        Held::Address => (ADDRESS_ADDED, ADDRESS_REMOVED),
        Held::LocalRoute => (LOCAL_ROUTE_ADDED, LOCAL_ROUTE_REMOVED),
        Held::HostRoute => (HOST_ROUTE_ADDED, HOST_ROUTE_REMOVED),
        Held::Sender => (SENDER_ADDED, SENDER_REMOVED),
    };
    let (stamp, state) = (Stamp { time_ns, kind: Address::KIND, netns }, if is_added { added } else { removed });
    Address { stamp, addr, ifindex, prefix, state, unused: [0; 2] }.into()
}
