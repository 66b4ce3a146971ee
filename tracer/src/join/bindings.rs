//! Bindings outlive their attempts: a client that reuses its source port while the old conntrack entry is alive leaves
//! with the old translated port, and NAT is not asked again.
//!
//! Those of IPv4 are kept apart from the others, since they take half the room.

use std::hash::Hasher;

use tracer_common::Flow;

use super::hash::{hasher, write_addr};
use super::recent::{FactLink, Recent};
use super::slot::PackedRange;
use super::times::{BINDING_COUNTS_NS, BINDING_NS, HINT_NS, SETTLE_NS};
use super::tuple::{Tuple, TupleKey};

/// NATs that one SYN passes on its way out of this kernel at most.
const MAX_HOPS: usize = 4;

/// What NAT chose; its tuples are kept as `T`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Binding<T> {
    pub(super) original: T,
    pub(super) translated: T,
    pub(super) choice: Choice,
}

/// A binding without its tuples.
#[derive(Clone, Copy, Debug)]
pub(super) struct Choice {
    pub(super) time_ns: u64,
    pub(super) netns: u32,
    /// The attempt that it was made for, and its ISN
    pub(super) attempt: u32,
    pub(super) isn: u32,
    pub(super) zone: u16,
    pub(super) range: Option<PackedRange>,
}

/// A fact has a link and a bucket in `Recent`: the sizes that `Limits::bindings` names.
const fn bytes_of<T>() -> usize {
    size_of::<Binding<T>>() + size_of::<FactLink>() + size_of::<u32>()
}
const _: () = assert!(bytes_of::<Tuple>() == 68 && bytes_of::<Flow>() == 116);

#[derive(Debug)]
pub(super) struct Bindings {
    narrow: Recent<Binding<Tuple>>,
    wide: Recent<Binding<Flow>>,
    /// The latest time of a binding.
    newest_ns: u64,
    /// Bindings made up to here are not trusted: newer ones may have been lost.
    lost_ns: Option<u64>,
}

impl Bindings {
    pub(super) fn new(capacity: u32) -> Self {
        Self { narrow: Recent::new(capacity), wide: Recent::new(capacity), newest_ns: 0, lost_ns: None }
    }

    /// Has fetched what [`Self::push`] will need.
    pub(super) fn fetch(&self, original: &Flow) {
        match Tuple::of_ipv4(original) {
            Some(narrow) => self.narrow.fetch(narrow.hash()),
            None => self.wide.fetch(original.hash()),
        }
    }

    /// Remembers a binding; how many that might still have mattered were forgotten for it.
    pub(super) fn push(&mut self, original: &TupleKey<'_>, translated: &TupleKey<'_>, choice: Choice) -> u64 {
        self.newest_ns = self.newest_ns.max(choice.time_ns);
        let forgotten_ns = match (original.narrow, translated.narrow) {
            (Some(original), Some(translated)) => push(&mut self.narrow, Binding { original, translated, choice }),
            _ => {
                let (original, translated) = (*original.flow, *translated.flow);
                push(&mut self.wide, Binding { original, translated, choice })
            }
        };
        u64::from(forgotten_ns.is_some_and(|old_ns| choice.time_ns.saturating_sub(old_ns) < BINDING_COUNTS_NS))
    }

    /// Facts were lost until this time.
    pub(super) fn lost(&mut self, time_ns: u64) {
        self.lost_ns = Some(self.lost_ns.map_or(time_ns, |before| before.max(time_ns)));
    }

    /// The binding that an attempt begun at `first_ns` found in place, through all NATs on its way: its translated tuple.
    pub(super) fn recall(&self, original: &TupleKey<'_>, first_ns: u64) -> Option<(Flow, Choice)> {
        let trust = Trust { until_ns: first_ns.saturating_add(SETTLE_NS), lost_ns: self.lost_ns };
        match original.narrow {
            Some(narrow) => recall(&self.narrow, narrow, trust),
            None => recall(&self.wide, *original.flow, trust),
        }
    }

    /// Gives the range of a selection at `time_ns` to the binding that was made for it, where that was delivered first.
    pub(super) fn ranged(
        &mut self,
        original: &TupleKey<'_>,
        netns: u32,
        zone: u16,
        time_ns: u64,
        range: PackedRange,
    ) -> Option<(Flow, Choice)> {
        if time_ns > self.newest_ns {
            return None;
        }
        let is_it = |choice: &Choice| {
            let after = choice.time_ns >= time_ns && choice.time_ns - time_ns <= HINT_NS && choice.range.is_none();
            after && (choice.netns, choice.zone) == (netns, zone)
        };
        match original.narrow {
            Some(narrow) => ranged(&mut self.narrow, narrow, is_it, range),
            None => ranged(&mut self.wide, *original.flow, is_it, range),
        }
    }
}

/// Which bindings count.
#[derive(Clone, Copy)]
struct Trust {
    until_ns: u64,
    lost_ns: Option<u64>,
}

impl Trust {
    fn has(self, choice: &Choice) -> bool {
        choice.time_ns <= self.until_ns
            && self.until_ns - choice.time_ns <= BINDING_NS
            && self.lost_ns.is_none_or(|lost_ns| choice.time_ns > lost_ns)
    }
}

/// When the one that was forgotten for it was made.
fn push<T: Kept>(recent: &mut Recent<Binding<T>>, binding: Binding<T>) -> Option<u64> {
    recent.push(binding.original.hash(), binding).map(|old| old.choice.time_ns)
}

fn ranged<T: Kept>(
    recent: &mut Recent<Binding<T>>,
    original: T,
    is_it: impl Fn(&Choice) -> bool,
    range: PackedRange,
) -> Option<(Flow, Choice)> {
    let is_it = |binding: &Binding<T>| is_it(&binding.choice) && binding.original == original;
    let found = recent.find(original.hash(), is_it)?;
    found.choice.range = Some(range);
    Some((found.translated.to_flow(), found.choice))
}

fn recall<T: Kept>(recent: &Recent<Binding<T>>, original: T, trust: Trust) -> Option<(Flow, Choice)> {
    let mut found = recall_one(recent, original, trust)?;
    for _ in 1..MAX_HOPS {
        match recall_one(recent, found.translated, trust) {
            Some(next) => found = next,
            None => break,
        }
    }
    Some((found.translated.to_flow(), found.choice))
}

fn recall_one<T: Kept>(recent: &Recent<Binding<T>>, original: T, trust: Trust) -> Option<Binding<T>> {
    let (mut found, mut ambiguous): (Option<Binding<T>>, bool) = (None, false);
    for binding in recent.of(original.hash()) {
        if binding.original == original && trust.has(&binding.choice) {
            match found {
                None => found = Some(*binding),
                Some(newest) => ambiguous |= contradicts(&newest, binding),
            }
        }
    }
    found.filter(|_| !ambiguous)
}

/// The same original tuple in another namespace or zone is another connection, and no event says which one this is.
fn contradicts<T: PartialEq>(newest: &Binding<T>, other: &Binding<T>) -> bool {
    let place = |choice: &Choice| (choice.netns, choice.zone);
    place(&newest.choice) != place(&other.choice) && newest.translated != other.translated
}

/// How tuples are kept, and what bindings and selections are found by.
pub(super) trait Kept: Copy + PartialEq {
    fn hash(&self) -> u64;

    fn to_flow(self) -> Flow;
}

impl Kept for Flow {
    fn hash(&self) -> u64 {
        let mut hasher = hasher();
        write_addr(&mut hasher, self.src);
        write_addr(&mut hasher, self.dst);
        hasher.write_u32(u32::from(self.src_port) << 16 | u32::from(self.dst_port));
        hasher.finish()
    }

    fn to_flow(self) -> Flow {
        self
    }
}

impl Kept for Tuple {
    fn hash(&self) -> u64 {
        let mut hasher = hasher();
        hasher.write_u128(self.bits());
        hasher.finish()
    }

    fn to_flow(self) -> Flow {
        self.to_ipv4()
    }
}
