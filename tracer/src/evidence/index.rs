//! The number of each destination, in bounded memory: the first ones have their own, later ones share that of their network, and
//! then a single one.

use hashbrown::HashMap;

use crate::infer::Destination;

/// Destinations with an entry of their own.
const MAX_EXACT_DESTINATIONS: usize = 1024;
/// Entries for networks of later destinations.
const MAX_NETWORKS: usize = 256;

/// Translated source addresses that are told apart: a provider may filter one of them only. Further ones share a number.
const MAX_SOURCES: usize = 64;
/// All numbers are less: further destinations of each source share one.
pub(super) const MAX_NUMBERS: usize = MAX_EXACT_DESTINATIONS + MAX_NETWORKS + MAX_SOURCES + 1;

/// Destinations by number, from each source.
#[derive(Clone, Debug, Default)]
pub(super) struct DestinationIndex {
    destinations: Vec<Destination>,
    numbers: HashMap<(Destination, u8), u16, foldhash::fast::FixedState>,
    sources: Vec<[u8; 16]>,
}

impl DestinationIndex {
    /// The number that a destination's attempts from a translated source address are counted under, and whether others share it.
    pub(super) fn number(&mut self, destination: Destination, source: [u8; 16]) -> (u16, bool) {
        let source = self.source(source);
        let known = |of: Destination| self.numbers.get(&(of, source)).copied();
        let (network, others) = (destination.network(), Destination::others());
        if let Some(number) = known(destination) {
            return (number, false);
        }
        let (of_network, of_others) = (known(network), known(others));
        if let Some(number) = self.open((destination, source), MAX_EXACT_DESTINATIONS) {
            return (number, false);
        }
        let shared = of_network
            .or_else(|| self.open((network, source), MAX_EXACT_DESTINATIONS + MAX_NETWORKS))
            .or(of_others)
            .or_else(|| self.open((others, source), MAX_EXACT_DESTINATIONS + MAX_NETWORKS + MAX_SOURCES + 1));
        (shared.unwrap_or(0), true)
    }

    /// The number of a source.
    fn source(&mut self, source: [u8; 16]) -> u8 {
        let known = self.sources.iter().position(|of| *of == source);
        let number = known.unwrap_or_else(|| {
            if self.sources.len() < MAX_SOURCES {
                self.sources.push(source);
                return self.sources.len() - 1;
            }
            MAX_SOURCES
        });
        number as u8
    }

    fn open(&mut self, key: (Destination, u8), limit: usize) -> Option<u16> {
        let place = self.destinations.len();
        let number = u16::try_from(place).ok().filter(|_| place < limit)?;
        self.destinations.push(key.0);
        self.numbers.insert(key, number);
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
            + self.numbers.capacity() * (size_of::<((Destination, u8), u16)>() + 1)
    }
}
