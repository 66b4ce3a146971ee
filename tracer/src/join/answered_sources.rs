//! Which source addresses were answered on which interface, so that an address that looks wrong is not called so.

use std::hash::Hasher;

use tracer_common::Flow;

use super::hash::{hasher, write_addr};
use super::places::{self, Places};
use crate::model::is_private;

/// Bytes of an address that stay of a network: /24 of IPv4 in its mapped form, /64 of IPv6.
const NETWORK_LEN: (usize, usize) = (15, 8);

/// By hash: of the address, and of its network.
#[derive(Debug, Default)]
pub(super) struct AnsweredSources {
    exact: Places<()>,
    networks: Places<()>,
    newest: Option<SourceKey>,
}

/// A source address on an interface, towards private or public addresses: pods may be routed to the former only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct SourceKey {
    source: [u8; 16],
    interface: u16,
    is_private: bool,
}

impl SourceKey {
    fn new(interface: u16, translated: &Flow) -> Self {
        Self { source: translated.src, interface, is_private: is_private(&translated.dst) }
    }

    fn network(self) -> Self {
        self.cut(NETWORK_LEN)
    }

    /// Any source of the same family.
    fn any(self) -> Self {
        self.cut((12, 0))
    }

    fn cut(mut self, (ipv4, ipv6): (usize, usize)) -> Self {
        let is_ipv4 = self.source.starts_with(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]);
        let length = if is_ipv4 { ipv4 } else { ipv6 };
        self.source.iter_mut().skip(length).for_each(|byte| *byte = 0);
        self
    }

    fn hash(self) -> u64 {
        let mut hasher = hasher();
        write_addr(&mut hasher, self.source);
        hasher.write_u32(u32::from(self.interface) << 1 | u32::from(self.is_private));
        places::finish(&hasher)
    }
}

impl AnsweredSources {
    /// A SYN that left by this interface as `translated` was answered. An address of the node says nothing about others of its network.
    #[inline]
    pub(super) fn note(&mut self, interface: u16, translated: &Flow, is_of_node: impl FnOnce() -> bool) {
        let key = SourceKey::new(interface, translated);
        if self.newest != Some(key) {
            self.put(key, is_of_node);
        }
    }

    fn put(&mut self, key: SourceKey, is_of_node: impl FnOnce() -> bool) {
        self.newest = Some(key);
        self.exact.entry(key.hash());
        if !is_of_node() {
            self.networks.entry(key.network().hash());
            if is_private(&key.source) {
                self.networks.entry(key.any().hash());
            }
        }
    }

    /// The addresses of the node change: what is answered from now on is noted anew.
    pub(super) const fn addresses_change(&mut self) {
        self.newest = None;
    }

    /// What stands for the source address of a SYN there; for its network where the address is not the node's.
    pub(super) fn hash_of(interface: u16, translated: &Flow, is_of_node: bool) -> u64 {
        let key = SourceKey::new(interface, translated);
        if is_of_node { key.hash() } else { key.network().hash() }
    }

    /// Whether a SYN like this was answered with any private source that is not the node's.
    pub(super) fn has_any(&self, interface: u16, translated: &Flow) -> bool {
        self.has(SourceKey::new(interface, translated).any().hash(), false)
    }

    /// Whether a SYN was answered with the source that this stands for.
    pub(super) fn has(&self, hash: u64, is_of_node: bool) -> bool {
        let places = if is_of_node { &self.exact } else { &self.networks };
        places.get(hash).is_some()
    }
}
