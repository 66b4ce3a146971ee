//! The attempts of each destination on the two sides of edges.

use std::ops::Range;

use super::conclusion::SupportingDestination;
use super::destination::Destination;
use super::destinations::{BINS, Bins, DestinationHistory};
use super::port_counts::UsedPort;
use super::segments::Segment;
use crate::model::Answers;

/// Destinations that answered at least once, with their attempts in bins.
pub(super) struct Answering<'a>(Vec<(Destination, &'a Bins)>);

impl<'a> Answering<'a> {
    pub(super) fn of(entries: &'a [DestinationHistory]) -> Self {
        Self(entries.iter().filter_map(|entry| Some((entry.destination, entry.bins()?))).collect())
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Attempts to each destination.
    pub(super) fn attempts(&self) -> Vec<u64> {
        self.0.iter().map(|(_, bins)| sum(*bins).total()).collect()
    }

    /// Each destination's attempts in these segments.
    pub(super) fn sides(&self, seen: &[UsedPort], segments: &[Segment]) -> Vec<SupportingDestination> {
        let ranges: Vec<_> = segments.iter().map(|segment| (bins(seen, segment), segment)).collect();
        let sides = |&(destination, bins): &(Destination, &Bins)| {
            let side = |passes| {
                let chosen = ranges.iter().filter(|(_, of)| of.is_in(passes));
                chosen.map(|(range, _)| sum(&bins[range.clone()])).sum()
            };
            SupportingDestination { destination, inside: side(true), outside: side(false) }
        };
        self.0.iter().map(sides).collect()
    }
}

fn sum(bins: &[[u32; 2]]) -> Answers {
    bins.iter().map(|bin| Answers::of(*bin)).sum()
}

/// The bins in which every port that was used belongs to the segment.
fn bins(seen: &[UsedPort], segment: &Segment) -> Range<usize> {
    let before = segment.first.checked_sub(1).map(|place| usize::from(seen[place].port) + 1);
    let begin = before.map_or(0, |port| port.div_ceil(256));
    let end = seen.get(segment.last + 1).map_or(BINS, |next| usize::from(next.port) / 256);
    begin.min(end)..end
}
