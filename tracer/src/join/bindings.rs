//! Bindings outlive their attempts: a client that reuses its source port while the old conntrack entry is alive leaves
//! with the old translated port, and NAT is not asked again.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::FixedState;
use tracer_common::Flow;

use super::recent::Recent;
use super::times::{BINDING_COUNTS_NS, BINDING_NS, HINT_NS, SETTLE_NS};
use crate::model::NatRange;

/// NATs that one SYN passes on its way out of this kernel at most.
const MAX_HOPS: usize = 4;

/// What NAT chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Binding {
    pub(super) original: Flow,
    pub(super) translated: Flow,
    pub(super) time_ns: u64,
    pub(super) range: Option<NatRange>,
    pub(super) netns: u32,
    pub(super) zone: u16,
    /// The attempt that it was made for, and its ISN
    pub(super) attempt: u32,
    pub(super) isn: u32,
}

#[derive(Debug)]
pub(super) struct Bindings {
    recent: Recent<Binding>,
    /// The latest time of a binding.
    newest_ns: u64,
    /// Bindings made up to here are not trusted: newer ones may have been lost.
    lost_ns: Option<u64>,
}

impl Bindings {
    pub(super) fn new(capacity: u32) -> Self {
        Self { recent: Recent::new(capacity), newest_ns: 0, lost_ns: None }
    }

    /// Has fetched what [`Self::push`] will need.
    pub(super) fn fetch(&self, original: &Flow) {
        self.recent.fetch(hash(original));
    }

    /// Remembers a binding; how many that might still have mattered were forgotten for it.
    pub(super) fn push(&mut self, binding: Binding) -> u64 {
        self.newest_ns = self.newest_ns.max(binding.time_ns);
        let forgotten = self.recent.push(hash(&binding.original), binding);
        u64::from(forgotten.is_some_and(|old| binding.time_ns.saturating_sub(old.time_ns) < BINDING_COUNTS_NS))
    }

    /// Facts were lost until this time.
    pub(super) fn lost(&mut self, time_ns: u64) {
        self.lost_ns = Some(self.lost_ns.map_or(time_ns, |before| before.max(time_ns)));
    }

    /// The binding that an attempt begun at `first_ns` found in place, through all NATs on its way.
    pub(super) fn recall(&self, original: &Flow, first_ns: u64) -> Option<Binding> {
        let mut found = self.recall_one(original, first_ns)?;
        for _ in 1..MAX_HOPS {
            match self.recall_one(&found.translated, first_ns) {
                Some(next) => found = Binding { original: *original, ..next },
                None => break,
            }
        }
        Some(found)
    }

    fn recall_one(&self, original: &Flow, first_ns: u64) -> Option<Binding> {
        let (until_ns, lost_ns) = (first_ns.saturating_add(SETTLE_NS), self.lost_ns);
        let (mut found, mut ambiguous): (Option<Binding>, bool) = (None, false);
        for binding in self.recent.of(hash(original)) {
            let trusted = until_ns.saturating_sub(binding.time_ns) <= BINDING_NS
                && lost_ns.is_none_or(|lost_ns| binding.time_ns > lost_ns);
            if binding.original == *original && binding.time_ns <= until_ns && trusted {
                match found {
                    None => found = Some(*binding),
                    Some(newest) => ambiguous |= contradicts(&newest, binding),
                }
            }
        }
        found.filter(|_| !ambiguous)
    }

    /// The binding that a selection at `time_ns` was made for, where the binding was delivered first.
    pub(super) fn made_after(&mut self, original: &Flow, netns: u32, zone: u16, time_ns: u64) -> Option<&mut Binding> {
        if time_ns > self.newest_ns {
            return None;
        }
        self.recent.find(hash(original), |binding| {
            let after = binding.time_ns >= time_ns && binding.time_ns - time_ns <= HINT_NS && binding.range.is_none();
            after && (binding.netns, binding.zone) == (netns, zone) && binding.original == *original
        })
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.recent.bytes()
    }
}

/// The same original tuple in another namespace or zone is another connection, and nobody tells which one this is.
fn contradicts(newest: &Binding, other: &Binding) -> bool {
    (newest.netns, newest.zone) != (other.netns, other.zone) && newest.translated != other.translated
}

/// The same on every run.
pub(super) fn hash(flow: &Flow) -> u64 {
    let mut hasher = FixedState::with_seed(0x5EED).build_hasher();
    // As numbers: three times as fast as hashing 36 bytes.
    hasher.write_u128(u128::from_ne_bytes(flow.src));
    hasher.write_u128(u128::from_ne_bytes(flow.dst));
    hasher.write_u32(u32::from(flow.src_port) << 16 | u32::from(flow.dst_port));
    hasher.finish()
}
