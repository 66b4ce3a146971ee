//! Destinations that answer SYNs with segments that do not acknowledge them: for an older connection, or to check every client.

use std::hash::Hasher;

use tracer_common::Flow;

use super::hash::{hasher, write_addr};
use super::places::{self, Places};
use crate::model::ChallengeCounts;

/// Different ports that are counted.
const MAX_PORTS: usize = 8;

/// By the hash of address and port: the ports from which SYNs were answered so (0 is an empty place), and the counts.
#[derive(Debug, Default)]
pub(super) struct Challenges(Places<([u16; MAX_PORTS], ChallengeCounts)>);

impl Challenges {
    /// The SYN from this port was answered so.
    pub(super) fn challenged(&mut self, translated: &Flow) {
        let (ports, counts) = self.0.entry(hash(translated));
        let port = translated.src_port;
        if let Some(free) = ports.iter_mut().find(|other| **other == 0 || **other == port)
            && *free == 0
        {
            *free = port;
            counts.ports += 1;
        }
    }

    /// An attempt has ended that was answered so, or otherwise.
    #[inline]
    pub(super) fn ended(&mut self, translated: &Flow, is_challenged: bool) {
        if !self.0.is_empty()
            && let Some((_, counts)) = self.0.get_mut(hash(translated))
        {
            let count = if is_challenged { &mut counts.attempts } else { &mut counts.others };
            *count = count.saturating_add(1);
        }
    }

    /// How attempts to the same destination fared so far.
    pub(super) fn of(&self, translated: &Flow) -> ChallengeCounts {
        self.0.get(hash(translated)).map_or_else(ChallengeCounts::default, |(_, counts)| *counts)
    }
}

fn hash(translated: &Flow) -> u64 {
    let mut hasher = hasher();
    write_addr(&mut hasher, translated.dst);
    hasher.write_u16(translated.dst_port);
    places::finish(&hasher)
}
