//! The number of each destination, in bounded memory: the first ones have their own, later ones share that of their network, and
//! then a single one.

use hashbrown::HashMap;

use crate::infer::Destination;

/// Destinations with an entry of their own.
const MAX_EXACT_DESTINATIONS: usize = 1024;
/// Entries for networks of later destinations.
const MAX_NETWORKS: usize = 256;

/// Destinations by number.
#[derive(Clone, Debug, Default)]
pub(super) struct DestinationIndex {
    destinations: Vec<Destination>,
    numbers: HashMap<Destination, u16, foldhash::fast::FixedState>,
}

impl DestinationIndex {
    /// The number that a destination's attempts are counted under.
    pub(super) fn number(&mut self, destination: Destination) -> u16 {
        let known = self.numbers.get(&destination).copied();
        known
            .or_else(|| self.open(destination, MAX_EXACT_DESTINATIONS))
            .or_else(|| self.numbers.get(&destination.network()).copied())
            .or_else(|| self.open(destination.network(), MAX_EXACT_DESTINATIONS + MAX_NETWORKS))
            .or_else(|| self.numbers.get(&Destination::others()).copied())
            .or_else(|| self.open(Destination::others(), MAX_EXACT_DESTINATIONS + MAX_NETWORKS + 1))
            .unwrap_or(0)
    }

    fn open(&mut self, destination: Destination, limit: usize) -> Option<u16> {
        let place = self.destinations.len();
        let number = u16::try_from(place).ok().filter(|_| place < limit)?;
        self.destinations.push(destination);
        self.numbers.insert(destination, number);
        Some(number)
    }

    /// The destination, or network of destinations, with this number.
    pub(super) fn destination(&self, number: u16) -> Destination {
        self.destinations.get(usize::from(number)).copied().unwrap_or_else(Destination::others)
    }

    /// Bytes allocated.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.destinations.capacity() * size_of::<Destination>()
            + self.numbers.capacity() * (size_of::<(Destination, u16)>() + 1)
    }
}
