//! Attempts that repeat an earlier one's port and destination: clients that bind their source port retry from it, and a load balancer
//! that chooses by the addresses and ports treats all of them alike. As long as they fare alike, they are one observation.
//!
//! Whether an attempt counts depends on earlier ones alone, so the test stays exact: the first one counts; one that fares otherwise than
//! the one that counted does not, and the next one counts again.

use crate::fetch::fetch;

/// Tuples that are remembered; one in the same place is forgotten.
const PLACES: usize = 1 << 14;

/// The newest tuples, and what became of the attempt that counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Repeats {
    /// 0, or the tuple and its outcome plus 1. Empty before the first attempt.
    tuples: Vec<u32>,
}

impl Repeats {
    /// Whether an attempt to the destination with this number, from this port, counts.
    pub(super) fn is_news(&mut self, destination: usize, port: u16, answered: bool) -> bool {
        if self.tuples.is_empty() {
            self.tuples = vec![0; PLACES];
        }
        let tuple = tuple(destination, port);
        let known = &mut self.tuples[place(tuple)];
        let [unanswered_before, answered_before] = [tuple + 1, tuple + 2];
        if *known != unanswered_before && *known != answered_before {
            *known = if answered { answered_before } else { unanswered_before };
            return true;
        }
        if answered != (*known == answered_before) {
            *known = 0;
        }
        false
    }

    /// Has what is known of the tuple fetched.
    pub(super) fn fetch(&self, destination: usize, port: u16) {
        fetch(self.tuples.get(place(tuple(destination, port))));
    }

    /// Bytes allocated.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.tuples.capacity() * size_of::<u32>()
    }
}

/// There are fewer than 2048 destinations.
const fn tuple(destination: usize, port: u16) -> u32 {
    (destination as u32 & 0x7FF) << 17 | (port as u32) << 1
}

const fn place(tuple: u32) -> usize {
    (tuple.wrapping_mul(0x9E37_79B1) >> (u32::BITS - PLACES.trailing_zeros())) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(outcomes: &[bool]) -> Vec<bool> {
        let mut repeats = Repeats::default();
        outcomes.iter().copied().filter(|&answered| repeats.is_news(3, 20000, answered)).collect()
    }

    #[test]
    fn a_tuple_that_always_fares_alike_counts_once() {
        assert_eq!(counted(&[false; 9]), [false]);
        assert_eq!(counted(&[true; 9]), [true]);
    }

    #[test]
    fn failures_and_then_answers_count_on_both_sides() {
        assert_eq!(counted(&[false, false, true, true, true]), [false, true]);
    }

    #[test]
    fn other_ports_and_other_destinations_count() {
        let mut repeats = Repeats::default();
        assert!((0..1280).all(|destination| repeats.is_news(destination, 20000, false)));
        assert!((0..1000).all(|port| repeats.is_news(2000, port, false)));
    }
}
