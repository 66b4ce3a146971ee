//! The devices below an uplink: the ports of its bridge, the slaves of its bond, the parent of its VLAN. Packets are looked at there
//! instead where a program of others is on one of them, which may translate what the uplink sends (eBPF masquerade) and end the chain;
//! and on those ports of a bridge that lead to the outside: what virtual machines and containers send passes from port to port.

use std::collections::{BTreeMap, BTreeSet};

use aya::programs::tc::TcAttachType;

use super::chain;
use super::links::Link;
use crate::netns::Netns;

/// Devices below all uplinks that are looked at: bridges may have hundreds of ports.
const MAX_DEVICES: usize = 128;

/// The devices below the uplinks of a namespace.
#[derive(Debug, Default)]
pub(super) struct Lower {
    devices: Vec<(u32, String)>,
    /// Those that programs of others are attached to.
    programmed: BTreeSet<u32>,
    /// Programs of ours, by id.
    pub(super) ours: BTreeSet<u32>,
    /// Bridges whose ports are looked at.
    bridges: BTreeSet<u32>,
}

impl Lower {
    /// Looks at the devices below these uplinks.
    pub(super) fn read(
        &mut self,
        namespace: &Netns,
        links: &BTreeMap<u32, Link>,
        uplinks: &[u32],
    ) -> anyhow::Result<()> {
        let below =
            |uplink: &u32| at_or_below(links, *uplink).into_iter().filter(|index| index != uplink).collect::<Vec<_>>();
        let indexes: BTreeSet<_> = uplinks.iter().flat_map(below).collect();
        let named = indexes.into_iter().filter_map(|index| Some((index, links.get(&index)?.name.clone())));
        self.devices = named.take(MAX_DEVICES).collect();
        self.programmed = self.look(namespace)?;
        self.bridges = bridges(links, uplinks);
        Ok(())
    }

    /// Whether programs came or went since it was read.
    pub(super) fn has_changed(&mut self, namespace: &Netns) -> anyhow::Result<bool> {
        Ok(self.look(namespace)? != self.programmed)
    }

    /// Whether this device is below an uplink.
    pub(super) fn has(&self, index: u32) -> bool {
        self.devices.iter().any(|(device, _)| *device == index)
    }

    fn look(&mut self, namespace: &Netns) -> anyhow::Result<BTreeSet<u32>> {
        let Self { devices, ours, .. } = self;
        if devices.is_empty() {
            return Ok(BTreeSet::new());
        }
        let mut is_programmed = |index: u32, name: &str| {
            [TcAttachType::Ingress, TcAttachType::Egress].into_iter().any(|direction| {
                chain::read(name, index, direction, &[], None, ours).is_ok_and(|chain| chain.others() > 0)
            })
        };
        namespace.run(|| {
            let programmed = devices.iter().filter(|(index, name)| is_programmed(*index, name));
            Ok(programmed.map(|(index, _)| *index).collect())
        })
    }

    /// Where to look at the packets of an uplink: on itself, or on devices below it.
    pub(super) fn places(&self, links: &BTreeMap<u32, Link>, uplink: u32) -> Vec<u32> {
        let mut places = Vec::new();
        self.place(links, uplink, &mut places);
        places
    }

    fn place(&self, links: &BTreeMap<u32, Link>, index: u32, places: &mut Vec<u32>) {
        // Other ports of a bridge lead to virtual machines; each slave of a bond leads out.
        let is_bridge = links.get(&index).is_some_and(|link| link.is_bridge);
        let is_used = |device: &u32| self.is_port(links, index, *device) || self.is_used(links, *device);
        let (used, others): (Vec<_>, Vec<_>) = below(links, index).partition(is_used);
        if used.is_empty() {
            places.push(index);
            return;
        }
        let all = used.into_iter().chain(others.into_iter().filter(|_| !is_bridge));
        all.for_each(|device| self.place(links, device, places));
    }

    /// Whether this device is a port to the outside, of a bridge whose ports are looked at.
    fn is_port(&self, links: &BTreeMap<u32, Link>, bridge: u32, device: u32) -> bool {
        self.bridges.contains(&bridge) && links.get(&device).is_some_and(|port| !port.leads_inside)
    }

    /// Whether packets are looked at on this device or below it.
    fn is_used(&self, links: &BTreeMap<u32, Link>, index: u32) -> bool {
        let is_used = |device| self.is_port(links, index, device) || self.is_used(links, device);
        self.programmed.contains(&index) || below(links, index).any(is_used)
    }
}

/// The bridges that are uplinks, and those below one uplink: a port does not distinguish VLANs.
fn bridges(links: &BTreeMap<u32, Link>, uplinks: &[u32]) -> BTreeSet<u32> {
    let is_bridge = |index: &&u32| links.get(index).is_some_and(|link| link.is_bridge);
    let mut bridges: BTreeSet<u32> = uplinks.iter().filter(is_bridge).copied().collect();
    if let [uplink] = uplinks {
        bridges.extend(at_or_below(links, *uplink).iter().filter(is_bridge));
    }
    bridges
}

/// This interface, and those that it sends by.
fn at_or_below(links: &BTreeMap<u32, Link>, index: u32) -> BTreeSet<u32> {
    let (mut open, mut found) = (vec![index], BTreeSet::from([index]));
    while let Some(index) = open.pop() {
        open.extend(below(links, index).filter(|index| found.insert(*index)));
    }
    found
}

/// The devices that an interface sends by, unchanged but for a tag or an address.
fn below(links: &BTreeMap<u32, Link>, upper: u32) -> impl Iterator<Item = u32> {
    let link = links.get(&upper);
    let is_made_of_ports = link.is_some_and(|link| link.has_ports);
    let ports = links.values().filter(move |port| is_made_of_ports && port.master == Some(upper));
    let parent = link.and_then(Link::parent).filter(|parent| links.contains_key(parent));
    ports.map(|port| port.index).chain(parent)
}

/// The ports of this bridge that lead to the outside; none where it is no bridge.
pub(super) fn ports_to_outside(links: &BTreeMap<u32, Link>, bridge: u32) -> Vec<&Link> {
    let is_bridge = links.get(&bridge).is_some_and(|link| link.is_bridge);
    let ports = links.values().filter(|port| is_bridge && port.master == Some(bridge) && !port.leads_inside);
    ports.collect()
}

/// The devices that send what this interface sends, and no copies of it: of the ports of a bridge those that lead neither to virtual machines nor
/// to containers.
pub(super) fn senders(links: &BTreeMap<u32, Link>, uplink: u32) -> BTreeSet<u32> {
    let (mut open, mut found) = (vec![uplink], BTreeSet::new());
    while let Some(index) = open.pop() {
        let is_bridge = links.get(&index).is_some_and(|link| link.is_bridge);
        let is_sender = |device: &u32| !is_bridge || links.get(device).is_some_and(|port| !port.leads_inside);
        open.extend(below(links, index).filter(is_sender).filter(|device| found.insert(*device)));
    }
    found
}

/// The interfaces whose addresses this one may send with: those of one segment, as a NIC and the macvlans on it.
pub(super) fn of_segment(links: &BTreeMap<u32, Link>, device: u32) -> impl Iterator<Item = u32> {
    let root = segment(links, device);
    links.keys().filter(move |other| **other != device && segment(links, **other) == root).copied()
}

/// The interface that stands for a segment.
fn segment(links: &BTreeMap<u32, Link>, device: u32) -> u32 {
    /// The kernel nests no deeper (`MAX_NEST_DEV`).
    const MAX_NESTED: usize = 8;
    let parent = |device: &u32| links.get(device).filter(|link| link.shares_segment)?.parent();
    let above = std::iter::successors(Some(device), parent).take(MAX_NESTED);
    above.last().unwrap_or(device)
}

/// The interfaces that send by this one.
pub(super) fn above(links: &BTreeMap<u32, Link>, device: u32) -> impl Iterator<Item = u32> {
    let is_above = move |upper: &&u32| **upper != device && at_or_below(links, **upper).contains(&device);
    links.keys().filter(is_above).copied()
}

#[cfg(test)]
mod tests {
    use super::super::links::tests::{link, part_of, sends_by};
    use super::*;

    /// A bridge (1) with the ports 2 (a bond of 4 and 5) and 3 (a virtual machine's), and a VLAN (6) on 3.
    fn links() -> BTreeMap<u32, Link> {
        let bond = part_of(1, link(2, "bond0", 1, "bond"));
        let ports = [
            part_of(1, link(3, "eth2", 1, "")),
            part_of(2, link(4, "eth0", 1, "")),
            part_of(2, link(5, "eth1", 1, "")),
        ];
        let others = [link(1, "br0", 1, "bridge"), bond, sends_by(3, link(6, "eth2.7", 1, "vlan"))];
        ports.into_iter().chain(others).map(|link| (link.index, link)).collect()
    }

    fn places(programmed: &[u32], uplink: u32) -> Vec<u32> {
        let lower = Lower { programmed: programmed.iter().copied().collect(), ..Lower::default() };
        let mut places = lower.places(&links(), uplink);
        places.sort_unstable();
        places
    }

    #[test]
    fn packets_are_looked_at_below_an_uplink_only_where_programs_of_others_are() {
        for (programmed, uplink, expected) in [
            (&[][..], 1, &[1][..]),
            (&[1], 1, &[1]),
            (&[2], 1, &[2]),
            // Each slave of a bond leads out, each port of a bridge does not.
            (&[4], 1, &[4, 5]),
            (&[4, 3], 1, &[3, 4, 5]),
            (&[3], 6, &[3]),
            (&[4], 6, &[6]),
        ] {
            assert_eq!(places(programmed, uplink), expected, "{programmed:?} {uplink}");
        }
    }

    #[test]
    fn what_passes_from_port_to_port_is_looked_at_on_the_ports_to_the_outside() {
        let mut links = links();
        links.insert(7, part_of(1, link(7, "vnet0", 1, "tun")));
        links.insert(8, part_of(1, link(8, "veth0", 1, "veth")));
        links.insert(9, sends_by(1, link(9, "br0.9", 1, "vlan")));
        links.insert(10, sends_by(1, link(10, "br0.10", 1, "vlan")));
        for (uplinks, expected) in [
            (&[1][..], &[&[2, 3][..]][..]),
            (&[9], &[&[2, 3]]),
            // Ports do not distinguish VLANs.
            (&[9, 10], &[&[9], &[10]]),
            (&[1, 9], &[&[2, 3], &[2, 3]]),
        ] {
            let lower = Lower { bridges: bridges(&links, uplinks), ..Lower::default() };
            let places: Vec<_> = uplinks.iter().map(|uplink| lower.places(&links, *uplink)).collect();
            assert_eq!(places, expected, "{uplinks:?}");
        }
        let names = |bridge| ports_to_outside(&links, bridge).iter().map(|port| port.name.as_str()).collect::<Vec<_>>();
        assert_eq!((names(1), names(2)), (vec!["bond0", "eth2"], vec![]));
        // All its ports lead to virtual machines.
        let links = BTreeMap::from([1, 7, 8].map(|index| (index, links[&index].clone())));
        let lower = Lower { bridges: bridges(&links, &[1]), ..Lower::default() };
        assert_eq!(lower.places(&links, 1), [1]);
    }

    #[test]
    fn a_bond_sends_by_its_slaves_and_a_bridge_by_no_machine_of_its_own() {
        let mut links = links();
        links.insert(7, part_of(1, link(7, "vnet0", 1, "tun")));
        assert_eq!(senders(&links, 2).into_iter().collect::<Vec<_>>(), [4, 5]);
        assert_eq!(senders(&links, 6).into_iter().collect::<Vec<_>>(), [3]);
        assert_eq!(senders(&links, 1).into_iter().collect::<Vec<_>>(), [2, 3, 4, 5]);
    }

    #[test]
    fn a_macvlan_is_of_the_segment_of_its_nic_and_a_vlan_is_not() {
        let kinds = ["macvlan", "macvlan", "vlan", "ipvlan"];
        let mut links: BTreeMap<_, _> =
            (2..).zip(kinds).map(|(index, kind)| (index, sends_by(1, link(index, "x", 1, kind)))).collect();
        links.insert(1, link(1, "eth0", 1, ""));
        links.insert(6, sends_by(4, link(6, "on_vlan", 1, "macvlan")));
        let of = |device| of_segment(&links, device).collect::<Vec<_>>();
        assert_eq!((of(1), of(2), of(4), of(6)), (vec![2, 3, 5], vec![1, 3, 5], vec![6], vec![4]));
    }

    #[test]
    fn what_is_above_a_device_sends_by_it() {
        assert_eq!(above(&links(), 4).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(above(&links(), 3).collect::<Vec<_>>(), [1, 6]);
        assert_eq!(above(&links(), 6).count(), 0);
    }
}
