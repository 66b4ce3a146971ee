//! How attempts fared whose first SYN had one of `SynFeatures`, and those whose first SYN was plain, by destination.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::FixedState;
use tracer_common::Flow;

use crate::model::FeatureCounts;

/// Destinations at most: the one in the same place is replaced. It is evidence only, so nothing is counted.
const PLACES: usize = 256;

/// By the hash of the destination's address.
#[derive(Debug, Default)]
pub(super) struct Features {
    /// Empty until the first such attempt.
    places: Vec<(u64, FeatureCounts)>,
}

impl Features {
    /// From now on attempts to the destination are counted.
    pub(super) fn compare(&mut self, translated: &Flow) {
        self.counts_mut(translated);
    }

    /// The first SYN was answered, or one like it.
    pub(super) fn answered(&mut self, translated: &Flow, is_refused: bool) {
        let counts = self.counts_mut(translated);
        counts.answered = counts.answered.saturating_add(1);
        counts.refused = counts.refused.saturating_add(is_refused.into());
    }

    /// Only a plain retransmit was answered, the last of so many.
    pub(super) fn only_plain_answered(&mut self, translated: &Flow, plain: u32) {
        let counts = self.counts_mut(translated);
        counts.only_plain_answered = counts.only_plain_answered.saturating_add(1);
        counts.plain_lost = counts.plain_lost.saturating_add(plain.saturating_sub(1));
    }

    /// The first SYN was plain. Counted for destinations to which another first SYN was not.
    pub(super) fn plain(&mut self, translated: &Flow, is_retransmitted: bool, is_refused: bool) {
        if self.places.is_empty() {
            return;
        }
        let hash = hash(translated);
        let Some((_, counts)) = self.places.get_mut(place(hash)).filter(|(other, _)| *other == hash) else { return };
        let count = if is_retransmitted { &mut counts.plain_retransmitted } else { &mut counts.plain_answered };
        *count = count.saturating_add(1);
        counts.plain_refused = counts.plain_refused.saturating_add((is_refused && !is_retransmitted).into());
    }

    fn counts_mut(&mut self, translated: &Flow) -> &mut FeatureCounts {
        if self.places.is_empty() {
            self.places.resize(PLACES, (0, FeatureCounts::default()));
        }
        let hash = hash(translated);
        let place = &mut self.places[place(hash)];
        if place.0 != hash {
            *place = (hash, FeatureCounts::default());
        }
        &mut place.1
    }

    /// How attempts to the same address fared so far.
    pub(super) fn of(&self, translated: &Flow) -> FeatureCounts {
        if self.places.is_empty() {
            return FeatureCounts::default();
        }
        let hash = hash(translated);
        let found = self.places.get(place(hash)).filter(|(other, _)| *other == hash);
        found.map_or_else(FeatureCounts::default, |(_, counts)| *counts)
    }
}

fn hash(translated: &Flow) -> u64 {
    let mut hasher = FixedState::with_seed(0x5EED).build_hasher();
    hasher.write_u128(u128::from_ne_bytes(translated.dst));
    // 0 is an empty place.
    hasher.finish() | 1
}

fn place(hash: u64) -> usize {
    (hash >> 1) as usize & (PLACES - 1)
}
