//! Hands the user's filters, the watched interfaces and the node's addresses to the programs.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use aya::maps::lpm_trie::{Key, LpmTrie};
use aya::maps::{Array, HashMap, MapData};
use aya::{Ebpf, Pod};
use ipnet::IpNet;
use tracer_common::config::{NETNS_WATCHED, OWN_ADDRESSES, UPLINK_BY_QUEUE, UPLINK_OUTSIDE};
use tracer_common::flow::octets;

use super::TracerOptions;
use super::interfaces::Interface;
use super::links::{Held, HeldAddress};
use super::object::{map, take};
use super::watched::WatchedInterface;
use crate::netns::Netns;

/// Writes the user's filters into the maps that the programs look them up in.
pub(super) fn fill(ebpf: &mut Ebpf, options: &TracerOptions, namespaces: &[Netns]) -> anyhow::Result<()> {
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
    uplinks: KeptMap<[u32; 2]>,
    inner: KeptMap<u32>,
    own: KeptMap<[u8; 16]>,
}

/// A map, and what is in it.
struct KeptMap<K: Pod> {
    map: HashMap<MapData, K, u8>,
    held: BTreeMap<K, u8>,
}

impl<K: Pod + Ord> KeptMap<K> {
    fn new(ebpf: &mut Ebpf, name: &str) -> anyhow::Result<Self> {
        Ok(Self { map: take(ebpf, name)?, held: BTreeMap::new() })
    }

    /// Makes it hold this. What goes makes room for what comes.
    fn hold(&mut self, now: BTreeMap<K, u8>) -> anyhow::Result<()> {
        for key in self.held.keys().filter(|key| !now.contains_key(*key)) {
            let _ = self.map.remove(key);
        }
        for (key, value) in now.iter().filter(|(key, value)| self.held.get(*key) != Some(value)) {
            self.map.insert(key, value, 0)?;
        }
        self.held = now;
        Ok(())
    }
}

impl NodeMaps {
    pub(super) fn new(ebpf: &mut Ebpf) -> anyhow::Result<Self> {
        Ok(Self {
            uplinks: KeptMap::new(ebpf, "UPLINKS")?,
            inner: KeptMap::new(ebpf, "INNER")?,
            own: KeptMap::new(ebpf, "OWN_ADDRESSES")?,
        })
    }

    /// Writes the watched namespaces.
    pub(super) fn namespaces(&mut self, inums: impl Iterator<Item = u32>) -> anyhow::Result<()> {
        for inum in inums {
            self.uplinks.map.insert([inum, 0], NETNS_WATCHED, 0).context("cannot watch so many namespaces")?;
        }
        Ok(())
    }

    /// Writes the watched interfaces.
    pub(super) fn watch(&mut self, watched: &[WatchedInterface]) -> anyhow::Result<()> {
        let flags = |watched: &WatchedInterface| {
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
        self.uplinks.hold(now).context("cannot watch so many interfaces")?;
        // A packet has the index only: where namespaces share one, SYNs that arrive are left out.
        let index = |watched: &WatchedInterface| watched.interface.index;
        let outside: BTreeSet<_> = watched.iter().filter(|it| it.interface.is_uplink).map(index).collect();
        let arriving = watched.iter().map(index).filter(|index| !outside.contains(index)).map(|index| (index, 1));
        self.inner.hold(arriving.collect()).context("cannot watch so many interfaces")
    }

    /// Writes the addresses of the node.
    pub(super) fn own<'a>(&mut self, held: impl Iterator<Item = &'a HeldAddress>) -> anyhow::Result<()> {
        let single = held.filter(|held| match held.kind {
            Held::Address => true,
            Held::LocalRoute => held.prefix == 128,
            Held::HostRoute | Held::Sender => false,
        });
        let now = single.map(|held| (held.addr, 1)).take(OWN_ADDRESSES as usize).collect();
        self.own.hold(now).context("cannot store the addresses of this node")
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
