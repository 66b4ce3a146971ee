//! How attempts fared whose first SYN had one of `SynFeatures`, and those whose first SYN was plain, by destination.

use tracer_common::Flow;

use super::hash::{hasher, write_addr};
use super::places::{self, Places};
use crate::model::FeatureCounts;

/// By the hash of the destination's address.
#[derive(Debug, Default)]
pub(super) struct Features(Places<FeatureCounts>);

impl Features {
    /// From now on attempts to the destination are counted.
    pub(super) fn compare(&mut self, translated: &Flow) {
        self.0.entry(hash(translated));
    }

    /// The first SYN was answered, or one like it.
    pub(super) fn answered(&mut self, translated: &Flow, is_refused: bool) {
        let counts = self.0.entry(hash(translated));
        counts.answered = counts.answered.saturating_add(1);
        counts.refused = counts.refused.saturating_add(is_refused.into());
    }

    /// Only a plain retransmit was answered, the last of so many.
    pub(super) fn only_plain_answered(&mut self, translated: &Flow, plain: u32) {
        let counts = self.0.entry(hash(translated));
        counts.only_plain_answered = counts.only_plain_answered.saturating_add(1);
        counts.plain_lost = counts.plain_lost.saturating_add(plain.saturating_sub(1));
    }

    /// The first SYN was plain. Counted for destinations to which another first SYN was not.
    pub(super) fn plain(&mut self, translated: &Flow, is_retransmitted: bool, is_refused: bool) {
        if self.0.is_empty() {
            return;
        }
        let Some(counts) = self.0.get_mut(hash(translated)) else { return };
        let count = if is_retransmitted { &mut counts.plain_retransmitted } else { &mut counts.plain_answered };
        *count = count.saturating_add(1);
        counts.plain_refused = counts.plain_refused.saturating_add((is_refused && !is_retransmitted).into());
    }

    /// How attempts to the same address fared so far.
    pub(super) fn of(&self, translated: &Flow) -> FeatureCounts {
        self.0.get(hash(translated)).copied().unwrap_or_default()
    }
}

fn hash(translated: &Flow) -> u64 {
    let mut hasher = hasher();
    write_addr(&mut hasher, translated.dst);
    places::finish(&hasher)
}
