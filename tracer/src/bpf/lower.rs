//! Programs of others on the devices below an uplink: the ports of its bridge, the slaves of its bond, the parent of its VLAN. Such a
//! program may translate what the uplink sends (eBPF masquerade) and end the chain, so packets are then looked at there instead.

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
    ours: BTreeSet<u32>,
}

impl Lower {
    /// Looks at the devices below these uplinks.
    pub(super) fn read(
        &mut self,
        namespace: &Netns,
        links: &BTreeMap<u32, Link>,
        uplinks: &[u32],
    ) -> anyhow::Result<()> {
        let (mut above, mut indexes) = (uplinks.to_vec(), Vec::new());
        while let Some(index) = above.pop() {
            let new: Vec<_> = below(links, index).filter(|index| !indexes.contains(index)).collect();
            above.extend(&new);
            indexes.extend(new);
        }
        let named = indexes.into_iter().filter_map(|index| Some((index, links.get(&index)?.name.clone())));
        self.devices = named.take(MAX_DEVICES).collect();
        self.programmed = self.look(namespace)?;
        Ok(())
    }

    /// These programs are ours.
    pub(super) fn know(&mut self, ours: &BTreeSet<u32>) {
        self.ours.extend(ours);
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

    /// Where to look at the packets of an uplink: on itself, or on the devices below it where a program of others is on one of them.
    pub(super) fn places(&self, links: &BTreeMap<u32, Link>, uplink: u32) -> Vec<u32> {
        let mut places = Vec::new();
        self.place(links, uplink, &mut places);
        places
    }

    fn place(&self, links: &BTreeMap<u32, Link>, index: u32, places: &mut Vec<u32>) {
        let is_used = |below: &u32| self.is_programmed_at_or_below(links, *below);
        let all: Vec<_> = below(links, index).collect();
        if !all.iter().any(is_used) {
            places.push(index);
            return;
        }
        // Other ports of a bridge lead to virtual machines; each slave of a bond leads out.
        let is_bridge = links.get(&index).is_some_and(|link| link.is_bridge);
        for device in all.into_iter().filter(|device| !is_bridge || is_used(device)) {
            self.place(links, device, places);
        }
    }

    fn is_programmed_at_or_below(&self, links: &BTreeMap<u32, Link>, index: u32) -> bool {
        self.programmed.contains(&index)
            || below(links, index).any(|device| self.is_programmed_at_or_below(links, device))
    }
}

/// The devices that an interface sends by, unchanged but for a tag or an address.
fn below(links: &BTreeMap<u32, Link>, upper: u32) -> impl Iterator<Item = u32> {
    let link = links.get(&upper);
    let is_made_of_ports = link.is_some_and(|link| link.has_ports);
    let ports = links.values().filter(move |port| is_made_of_ports && port.master == Some(upper));
    let parent = link.and_then(Link::parent).filter(|parent| links.contains_key(parent));
    ports.map(|port| port.index).chain(parent)
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

/// The interfaces that send by this one.
pub(super) fn above(links: &BTreeMap<u32, Link>, device: u32) -> impl Iterator<Item = u32> {
    let is_above = move |upper: &&u32| {
        let (mut open, mut seen) = (vec![**upper], BTreeSet::new());
        while let Some(index) = open.pop() {
            open.extend(below(links, index).filter(|index| seen.insert(*index)));
        }
        seen.contains(&device)
    };
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
    fn a_bond_sends_by_its_slaves_and_a_bridge_by_no_machine_of_its_own() {
        let mut links = links();
        links.insert(7, part_of(1, link(7, "vnet0", 1, "tun")));
        assert_eq!(senders(&links, 2).into_iter().collect::<Vec<_>>(), [4, 5]);
        assert_eq!(senders(&links, 6).into_iter().collect::<Vec<_>>(), [3]);
        assert_eq!(senders(&links, 1).into_iter().collect::<Vec<_>>(), [2, 3, 4, 5]);
    }

    #[test]
    fn what_is_above_a_device_sends_by_it() {
        assert_eq!(above(&links(), 4).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(above(&links(), 3).collect::<Vec<_>>(), [1, 6]);
        assert_eq!(above(&links(), 6).count(), 0);
    }
}
