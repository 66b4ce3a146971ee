//! A small table of evidence by hash: a new value replaces the one in its place, which is not counted since it is evidence only.

use std::hash::Hasher;

const PLACES: usize = 256;

#[derive(Debug)]
pub(super) struct Places<T> {
    /// Hash and value; empty until the first value, with a hash of 0 where free.
    places: Vec<(u64, T)>,
}

impl<T> Default for Places<T> {
    fn default() -> Self {
        Self { places: Vec::new() }
    }
}

impl<T: Clone + Default> Places<T> {
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    pub(super) fn get(&self, hash: u64) -> Option<&T> {
        self.places.get(place(hash)).filter(|(other, _)| *other == hash).map(|(_, value)| value)
    }

    pub(super) fn get_mut(&mut self, hash: u64) -> Option<&mut T> {
        self.places.get_mut(place(hash)).filter(|(other, _)| *other == hash).map(|(_, value)| value)
    }

    /// The value, a new one if there is none.
    pub(super) fn entry(&mut self, hash: u64) -> &mut T {
        if self.places.is_empty() {
            self.places.resize(PLACES, (0, T::default()));
        }
        let place = &mut self.places[place(hash)];
        if place.0 != hash {
            *place = (hash, T::default());
        }
        &mut place.1
    }
}

/// The hash that marks a place as taken.
pub(super) fn finish(hasher: &impl Hasher) -> u64 {
    hasher.finish() | 1
}

fn place(hash: u64) -> usize {
    (hash >> 1) as usize & (PLACES - 1)
}
