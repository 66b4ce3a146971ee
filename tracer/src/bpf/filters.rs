//! Hands the user's filters, the watched interfaces and the node's addresses to the programs.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use aya::Ebpf;
use aya::maps::lpm_trie::{Key, LpmTrie};
use aya::maps::{Array, HashMap, MapData};
use ipnet::IpNet;
use tracer_common::config::{NETNS_WATCHED, OWN_ADDRESSES, UPLINK_BY_QUEUE, UPLINK_OUTSIDE};
use tracer_common::flow::octets;

use super::interfaces::Interface;
use super::links::{Held, HeldAddress};
use super::watched::Watched;
use super::{Options, map, take};
use crate::netns::Netns;

/// Writes the user's filters into the maps that the programs look them up in.
pub(super) fn fill(ebpf: &mut Ebpf, options: &Options, namespaces: &[Netns]) -> anyhow::Result<()> {
    fill_prefixes(ebpf, "FILTER_SRC", &options.src)?;
    fill_prefixes(ebpf, "FILTER_DST", &options.dst)?;
    if let Some(ports) = &options.dport {
        let mut words: Array<_, u64> = map(ebpf, "FILTER_DPORT")?.try_into()?;
        for index in 0..1024u32 {
            let bits = (0..64u32).filter(|bit| ports.contains((index * 64 + bit) as u16));
            words.set(index, bits.fold(0u64, |word, bit| word | 1 << bit), 0)?;
        }
    }
    if !options.netns.is_empty() {
        let mut inums: HashMap<_, u32, u8> = map(ebpf, "FILTER_NETNS")?.try_into()?;
        for netns in namespaces {
            inums.insert(netns.inum()?, 1, 0).context("cannot filter by namespace: too many of them")?;
        }
    }
    Ok(())
}

/// What the programs know of the node, kept as it changes: the watched interfaces and the addresses.
pub(super) struct NodeMaps {
    uplinks: HashMap<MapData, [u32; 2], u8>,
    inner: HashMap<MapData, u32, u8>,
    own: HashMap<MapData, [u8; 16], u8>,
    /// What is in the maps.
    watched: BTreeMap<[u32; 2], u8>,
    arriving: BTreeSet<u32>,
    addresses: BTreeSet<[u8; 16]>,
}

impl NodeMaps {
    pub(super) fn new(ebpf: &mut Ebpf) -> anyhow::Result<Self> {
        Ok(Self {
            uplinks: take(ebpf, "UPLINKS")?,
            inner: take(ebpf, "INNER")?,
            own: take(ebpf, "OWN_ADDRESSES")?,
            watched: BTreeMap::new(),
            arriving: BTreeSet::new(),
            addresses: BTreeSet::new(),
        })
    }

    /// Writes the watched namespaces.
    pub(super) fn namespaces(&mut self, inums: impl Iterator<Item = u32>) -> anyhow::Result<()> {
        for inum in inums {
            self.uplinks.insert([inum, 0], NETNS_WATCHED, 0).context("cannot watch so many namespaces")?;
        }
        Ok(())
    }

    /// Writes the watched interfaces.
    pub(super) fn watch(&mut self, watched: &[Watched]) -> anyhow::Result<()> {
        let flags = |watched: &Watched| {
            let outside = if watched.interface.is_uplink { UPLINK_OUTSIDE } else { 0 };
            outside | if watched.is_by_queue() { UPLINK_BY_QUEUE } else { 0 }
        };
        // What arrives at an uplink is from the outside, wherever its packets are looked at.
        let upper = |interface: &Interface| {
            let inum = interface.inum;
            interface.uppers.clone().into_iter().map(move |upper| ([inum, upper], UPLINK_OUTSIDE))
        };
        let mut now: BTreeMap<_, _> = watched.iter().flat_map(|watched| upper(&watched.interface)).collect();
        now.extend(watched.iter().map(|it| ([it.interface.inum, it.interface.index], flags(it))));
        for (key, flags) in now.iter().filter(|(key, flags)| self.watched.get(*key) != Some(flags)) {
            self.uplinks.insert(key, flags, 0).context("cannot watch so many interfaces")?;
        }
        for key in self.watched.keys().filter(|key| !now.contains_key(*key)) {
            let _ = self.uplinks.remove(key);
        }
        // A packet has the index only: where namespaces share one, SYNs that arrive are left out.
        let outside: BTreeSet<_> =
            watched.iter().filter(|it| it.interface.is_uplink).map(|it| it.interface.index).collect();
        let arriving: BTreeSet<_> =
            watched.iter().map(|it| it.interface.index).filter(|index| !outside.contains(index)).collect();
        for index in arriving.difference(&self.arriving) {
            self.inner.insert(index, 1, 0).context("cannot watch so many interfaces")?;
        }
        for index in self.arriving.difference(&arriving) {
            let _ = self.inner.remove(index);
        }
        (self.watched, self.arriving) = (now, arriving);
        Ok(())
    }

    /// Writes the addresses of the node.
    pub(super) fn own<'a>(&mut self, held: impl Iterator<Item = &'a HeldAddress>) -> anyhow::Result<()> {
        let single = held.filter(|held| match held.kind {
            Held::Address => true,
            Held::LocalRoute => held.prefix == 128,
            Held::HostRoute | Held::Sender => false,
        });
        let now: BTreeSet<_> = single.map(|held| held.addr).take(OWN_ADDRESSES as usize).collect();
        for gone in self.addresses.difference(&now) {
            let _ = self.own.remove(gone);
        }
        for added in now.difference(&self.addresses) {
            self.own.insert(added, 1, 0).context("cannot store the addresses of this node")?;
        }
        self.addresses = now;
        Ok(())
    }
}

fn fill_prefixes(ebpf: &mut Ebpf, name: &str, prefixes: &[IpNet]) -> anyhow::Result<()> {
    let mut trie: LpmTrie<_, [u8; 16], u8> = map(ebpf, name)?.try_into()?;
    for prefix in prefixes {
        let mapped = if prefix.addr().is_ipv4() { 96 } else { 0 };
        let key = Key::new(mapped + u32::from(prefix.prefix_len()), octets(prefix.network()));
        trie.insert(&key, 1, 0).with_context(|| format!("cannot filter by {prefix}: too many prefixes"))?;
    }
    Ok(())
}
