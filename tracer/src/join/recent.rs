//! The newest facts of a kind, found by hash: a ring that forgets the oldest when it is full.
//!
//! Facts of one bucket are linked from the newest to the oldest by serial number. A link to a fact that was forgotten is
//! recognised by its number, so forgetting costs nothing; no allocation once the ring is full.

use crate::fetch::fetch;

/// Facts that are added while memory is fetched.
const PREFETCH_DISTANCE: u32 = 4;
/// Most facts looked at in one bucket.
const MAX_FACTS_SEARCHED: usize = 64;
/// Buckets at first: thousands of nodes may have few facts each.
const MIN_BUCKETS: u32 = 64;

#[derive(Debug)]
pub(super) struct Recent<T> {
    facts: Vec<T>,
    /// By place, as the facts, and apart from them because these are what is searched.
    links: Vec<FactLink>,
    /// By bucket: serial number of the newest fact. As many as facts, but for the first ones.
    newest: Vec<u32>,
    capacity: u32,
    /// Serial number of the next fact; the first is the capacity, so that 0 means none.
    next: u32,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct FactLink {
    /// Serial number of the next older fact of the bucket.
    older: u32,
    /// Half of the fact's hash; its lowest bits choose the bucket.
    tag: u32,
}

impl<T> Recent<T> {
    /// Room for `capacity` facts, rounded up to a power of two.
    pub(super) fn new(capacity: u32) -> Self {
        let capacity = capacity.clamp(1, 1 << 30).next_power_of_two();
        let newest = vec![0; capacity.min(MIN_BUCKETS) as usize];
        Self { facts: Vec::new(), links: Vec::new(), newest, capacity, next: capacity }
    }

    /// Adds a fact; the one that was forgotten for it, if any.
    pub(super) fn push(&mut self, hash: u64, fact: T) -> Option<T> {
        if self.facts.len() == self.newest.len() && self.newest.len() < self.capacity as usize {
            self.grow();
        }
        let (bucket, place) = (self.bucket(hash), self.place(self.next));
        let link = FactLink { older: self.newest[bucket], tag: tag(hash) };
        self.newest[bucket] = self.next;
        self.next = self.next.wrapping_add(1);
        if let Some(oldest) = self.facts.get_mut(place) {
            self.links[place] = link;
            return Some(std::mem::replace(oldest, fact));
        }
        self.facts.push(fact);
        self.links.push(link);
        None
    }

    /// Twice as many buckets. No fact was forgotten so far.
    fn grow(&mut self) {
        let buckets = self.newest.len() * 2;
        self.newest.clear();
        self.newest.resize(buckets, 0);
        for (link, serial) in self.links.iter_mut().zip(self.capacity..) {
            link.older = std::mem::replace(&mut self.newest[link.tag as usize & (buckets - 1)], serial);
        }
    }

    /// Has fetched what it takes to add a fact with this hash after a few others.
    pub(super) fn fetch(&self, hash: u64) {
        fetch(self.newest.get(self.bucket(hash)));
        fetch(self.facts.get(self.place(self.next.wrapping_add(PREFETCH_DISTANCE))));
    }

    /// The facts with this hash, the newest first; one with another hash may be among them.
    pub(super) fn of(&self, hash: u64) -> impl Iterator<Item = &T> {
        self.places(hash).map(|place| &self.facts[place])
    }

    /// The newest fact with this hash that is the one.
    pub(super) fn find(&mut self, hash: u64, is_it: impl Fn(&T) -> bool) -> Option<&mut T> {
        let place = self.places(hash).find(|&place| is_it(&self.facts[place]))?;
        Some(&mut self.facts[place])
    }

    fn places(&self, hash: u64) -> impl Iterator<Item = usize> {
        let mut serial = self.newest[self.bucket(hash)];
        let mut age = 0;
        let step = move || {
            // Ages must grow and stay within the ring; any other link leads to a fact that was forgotten.
            let older_age = self.next.wrapping_sub(serial);
            if older_age <= age || older_age as usize > self.links.len() {
                return None;
            }
            let place = self.place(serial);
            let link = self.links[place];
            (age, serial) = (older_age, link.older);
            Some((place, link.tag))
        };
        std::iter::from_fn(step)
            .take(MAX_FACTS_SEARCHED)
            .filter(move |&(_, other)| other == tag(hash))
            .map(|(place, _)| place)
    }

    fn bucket(&self, hash: u64) -> usize {
        tag(hash) as usize & (self.newest.len() - 1)
    }

    fn place(&self, serial: u32) -> usize {
        serial as usize & (self.capacity as usize - 1)
    }
}

const fn tag(hash: u64) -> u32 {
    (hash >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_found_by_their_hash_before_and_after_it_grows_and_forgets() {
        let hash = |fact: u32| u64::from(fact % 700).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut recent = Recent::new(1024);
        for fact in 0..5000 {
            let forgotten = recent.push(hash(fact), fact);
            assert_eq!(forgotten, fact.checked_sub(1024));
            let kept = fact.saturating_sub(1023)..=fact;
            for asked in [fact, fact.saturating_sub(500), fact / 2] {
                let expected: Vec<u32> = kept.clone().rev().filter(|kept| kept % 700 == asked % 700).collect();
                let found: Vec<u32> =
                    recent.of(hash(asked)).copied().filter(|found| found % 700 == asked % 700).collect();
                assert_eq!(found, expected, "{fact} {asked}");
            }
        }
        assert_eq!(recent.newest.len(), 1024);
    }

    #[test]
    fn few_facts_take_little_memory() {
        let mut recent = Recent::new(1 << 17);
        assert!((0..10).all(|fact| recent.push(fact, fact).is_none()));
        assert!(recent.newest.len() == MIN_BUCKETS as usize && recent.facts.capacity() <= MIN_BUCKETS as usize);
    }
}
