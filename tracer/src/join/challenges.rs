//! Destinations that answer SYNs with segments that do not acknowledge them: for an older connection, or to check every client.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::FixedState;
use tracer_common::Flow;

use crate::model::ChallengeCounts;

/// Destinations at most: the one in the same place is replaced. It is evidence only, so nothing is counted.
const PLACES: usize = 256;
/// Different ports that are counted.
const MAX_PORTS: usize = 8;

#[derive(Clone, Copy, Debug, Default)]
struct Destination {
    /// By the hash of address and port; 0 is an empty place
    hash: u64,
    /// From which SYNs were answered so; 0 is an empty place
    ports: [u16; MAX_PORTS],
    counts: ChallengeCounts,
}

#[derive(Debug, Default)]
pub(super) struct Challenges {
    /// Empty until the first such attempt
    places: Vec<Destination>,
}

impl Challenges {
    /// The SYN from this port was answered so.
    pub(super) fn challenged(&mut self, translated: &Flow) {
        if self.places.is_empty() {
            self.places.resize(PLACES, Destination::default());
        }
        let hash = hash(translated);
        let known = &mut self.places[place(hash)];
        if known.hash != hash {
            *known = Destination { hash, ..Destination::default() };
        }
        let port = translated.src_port;
        if let Some(free) = known.ports.iter_mut().find(|other| **other == 0 || **other == port)
            && *free == 0
        {
            *free = port;
            known.counts.ports += 1;
        }
    }

    /// An attempt has ended that was answered so, or otherwise.
    #[inline]
    pub(super) fn ended(&mut self, translated: &Flow, is_challenged: bool) {
        if self.places.is_empty() {
            return;
        }
        let hash = hash(translated);
        if let Some(known) = self.places.get_mut(place(hash)).filter(|known| known.hash == hash) {
            let count = if is_challenged { &mut known.counts.attempts } else { &mut known.counts.others };
            *count = count.saturating_add(1);
        }
    }

    /// How attempts to the same destination fared so far.
    pub(super) fn of(&self, translated: &Flow) -> ChallengeCounts {
        if self.places.is_empty() {
            return ChallengeCounts::default();
        }
        let hash = hash(translated);
        let found = self.places.get(place(hash)).filter(|known| known.hash == hash);
        found.map_or_else(ChallengeCounts::default, |known| known.counts)
    }
}

fn hash(translated: &Flow) -> u64 {
    let mut hasher = FixedState::with_seed(0x5EED).build_hasher();
    hasher.write_u128(u128::from_ne_bytes(translated.dst));
    hasher.write_u16(translated.dst_port);
    hasher.finish() | 1
}

fn place(hash: u64) -> usize {
    (hash >> 1) as usize & (PLACES - 1)
}
