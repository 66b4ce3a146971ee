//! Hands the user's filters, and the uplinks, to the programs.

use std::net::IpAddr;

use anyhow::Context as _;
use aya::Ebpf;
use aya::maps::lpm_trie::{Key, LpmTrie};
use aya::maps::{Array, HashMap};
use ipnet::IpNet;
use tracer_common::config::{OWN_ADDRESSES, UPLINK_BY_TC};
use tracer_common::flow::octets;

use super::{Options, map};
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

/// Writes index and namespace of the uplinks, for the hooks that leave out what arrives through one.
pub(super) fn fill_uplinks(ebpf: &mut Ebpf, uplinks: &[(u32, u32)]) -> anyhow::Result<()> {
    let mut known: HashMap<_, [u32; 2], u8> = map(ebpf, "UPLINKS")?.try_into()?;
    for (index, inum) in uplinks {
        known.insert([*inum, *index], UPLINK_BY_TC, 0).context("cannot watch so many interfaces")?;
    }
    Ok(())
}

/// Writes the addresses of the node, by which SYNs to it are told from SYNs through it.
pub(super) fn fill_addresses(ebpf: &mut Ebpf, addresses: &[IpAddr]) -> anyhow::Result<()> {
    let mut own: HashMap<_, [u8; 16], u8> = map(ebpf, "OWN_ADDRESSES")?.try_into()?;
    for address in addresses.iter().take(OWN_ADDRESSES as usize) {
        own.insert(octets(*address), 1, 0).context("cannot note the addresses of this node")?;
    }
    Ok(())
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
