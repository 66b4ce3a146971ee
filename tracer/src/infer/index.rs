//! The number of each destination, in bounded memory: the first ones have their own, later ones share that of their network, and
//! then a single one.

use hashbrown::HashMap;

use super::destination::Destination;

/// Destinations with a number of their own.
pub(crate) const MAX_DESTINATIONS: usize = 1024;
/// Numbers of networks of later destinations.
pub(super) const MAX_NETWORKS: usize = 256;
/// Sources that are distinguished: numbers of all that remain, one a source.
pub(crate) const MAX_SOURCES: usize = 65;
/// All numbers are less.
pub(crate) const MAX_NUMBERS: usize = MAX_DESTINATIONS + MAX_NETWORKS + MAX_SOURCES;

/// Destinations by number, from each source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct DestinationIndex {
    destinations: Vec<Destination>,
    numbers: HashMap<(Destination, u8), u16, foldhash::fast::FixedState>,
}

impl DestinationIndex {
    /// The number that a destination's attempts from a source are counted under, and whether others share it.
    pub(crate) fn number(&mut self, destination: Destination, source: u8) -> (u16, bool) {
        if let Some(number) = self.known_or_new(destination, source, MAX_DESTINATIONS) {
            return (number, false);
        }
        let of_network = self.known_or_new(destination.network(), source, MAX_DESTINATIONS + MAX_NETWORKS);
        let shared = of_network.or_else(|| self.known_or_new(Destination::others(), source, MAX_NUMBERS));
        (shared.unwrap_or(0), true)
    }

    fn known_or_new(&mut self, of: Destination, source: u8, limit: usize) -> Option<u16> {
        let known = self.numbers.get(&(of, source)).copied();
        known.or_else(|| {
            let number = u16::try_from(self.destinations.len()).ok()?;
            (self.destinations.len() < limit).then(|| {
                self.destinations.push(of);
                self.numbers.insert((of, source), number);
                number
            })
        })
    }

    /// The destination, or network of destinations, with this number.
    pub(crate) fn destination(&self, number: u16) -> Destination {
        self.destinations.get(usize::from(number)).copied().unwrap_or_else(Destination::others)
    }

    /// Bytes allocated.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        self.destinations.capacity() * size_of::<Destination>()
            + self.numbers.capacity() * (size_of::<((Destination, u8), u16)>() + 1)
    }
}
