//! The ports that are asked first: spread over the range, two at each boundary of equal blocks.
//!
//! Filters begin and end at round numbers, so a boundary of blocks is often the edge itself, and then both of its sides are known.

use std::collections::BTreeSet;

use crate::model::PortSet;

/// Blocks of the range; 1,024 ports each in 1024-65535.
const MAX_BLOCKS: usize = 64;
const MIN_BLOCKS: usize = 4;
/// Connections for each block: two at its ends, as many for what follows.
const CONNECTIONS_PER_BLOCK: usize = 4;

/// In an order that does not go with the port, so that what happens at a time does not look like what happens to a port.
pub(super) fn strata(from: &PortSet, connections: usize) -> Vec<u16> {
    let size: usize = from.ranges().map(|(low, high)| usize::from(high - low) + 1).sum();
    let blocks = (connections / CONNECTIONS_PER_BLOCK).clamp(MIN_BLOCKS, MAX_BLOCKS);
    let step = size.div_ceil(blocks).next_power_of_two();
    let mut ports = BTreeSet::new();
    for (low, high) in from.ranges() {
        let first = (usize::from(low) / step + 1) * step;
        let boundaries = (first..=usize::from(high)).step_by(step).filter_map(|port| u16::try_from(port).ok());
        ports.extend([low, high].into_iter().chain(boundaries.flat_map(|port| [port - 1, port])));
    }
    scattered(&ports.into_iter().collect::<Vec<_>>())
}

/// The same, neighbours far from each other: steps of the golden ratio, which no pattern of blocks follows.
pub(super) fn scattered<T: Copy>(sorted: &[T]) -> Vec<T> {
    let len = sorted.len();
    let is_coprime = |step: &usize| gcd(*step, len) == 1;
    let step = (len * 618 / 1000 + 1..).find(is_coprime).unwrap_or(1);
    (0..len).map(|place| sorted[place * step % len]).collect()
}

const fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_of_each_boundary_are_asked_and_the_ends() {
        let ports = strata(&PortSet::range(1024, 65535), 300);
        assert_eq!(ports.len(), 126);
        for port in [1024, 2047, 2048, 32767, 32768, 65535] {
            assert!(ports.contains(&port), "{port}");
        }
    }

    #[test]
    fn a_small_range_is_asked_whole_and_a_list_in_all_its_parts() {
        assert_eq!(strata(&PortSet::range(5000, 5000), 300), [5000]);
        assert_eq!(strata(&PortSet::range(5000, 5039), 300).len(), 40);
        let two = strata(&PortSet::of([(1024, 1100), (60000, 65535)]), 20);
        assert!(two.contains(&1100) && two.contains(&60000) && two.len() < 20, "{two:?}");
    }

    #[test]
    fn scattering_keeps_each_once() {
        for len in [0, 1, 2, 3, 126, 127, 1000] {
            let sorted: Vec<usize> = (0..len).collect();
            let mut again = scattered(&sorted);
            again.sort_unstable();
            assert_eq!(again, sorted);
        }
    }
}
