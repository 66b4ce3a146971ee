//! The newest facts of a kind, found by hash: a ring that forgets the oldest when it is full.
//!
//! Facts of one bucket are linked from the newest to the oldest by serial number. A link to a fact that was forgotten is
//! recognised by its number, so forgetting costs nothing; no allocation once the ring is full.

use crate::fetch::fetch;

/// Facts that are added while memory is fetched.
const PREFETCH_DISTANCE: u32 = 4;
/// Most facts looked at in one bucket.
const MAX_FACTS_SEARCHED: usize = 64;

#[derive(Debug)]
pub(super) struct Recent<T> {
    facts: Vec<T>,
    /// By place, as the facts, and apart from them because these are what is searched.
    links: Vec<FactLink>,
    /// By bucket: serial number of the newest fact.
    newest: Vec<u32>,
    /// Serial number of the next fact; the first is the capacity, so that 0 means none.
    next: u32,
}

#[derive(Clone, Copy, Debug)]
struct FactLink {
    /// Serial number of the next older fact of the bucket.
    older: u32,
    /// Half of the fact's hash, the one that does not choose the bucket.
    tag: u32,
}

impl<T> Recent<T> {
    /// Room for `capacity` facts, rounded up to a power of two.
    pub(super) fn new(capacity: u32) -> Self {
        let capacity = capacity.clamp(1, 1 << 30).next_power_of_two();
        Self { facts: Vec::new(), links: Vec::new(), newest: vec![0; capacity as usize], next: capacity }
    }

    /// Adds a fact; the one that was forgotten for it, if any.
    pub(super) fn push(&mut self, hash: u64, fact: T) -> Option<T> {
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
        hash as usize & (self.newest.len() - 1)
    }

    fn place(&self, serial: u32) -> usize {
        serial as usize & (self.newest.len() - 1)
    }

    /// Bytes allocated.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.facts.capacity() * size_of::<T>()
            + self.links.capacity() * size_of::<FactLink>()
            + self.newest.capacity() * size_of::<u32>()
    }
}

const fn tag(hash: u64) -> u32 {
    (hash >> 32) as u32
}
