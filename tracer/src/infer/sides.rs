//! The attempts of each destination on the two sides of edges.

use super::conclusion::Tally;
use super::counts::Seen;
use super::destinations::{BINS, Destination, Entry};
use super::segments::Segment;
use super::significance::Stratum;

/// Attempts on both sides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sides {
    pub(super) inside: Tally,
    pub(super) outside: Tally,
}

impl Sides {
    pub(super) const fn stratum(self) -> Stratum {
        let Self { inside, outside } = self;
        Stratum {
            attempts: inside.total() + outside.total(),
            unanswered: inside.unanswered + outside.unanswered,
            denied: outside.total(),
            denied_unanswered: outside.unanswered,
        }
    }
}

/// Attempts of destinations that answered at least once, summed up from bin to bin.
pub(super) struct Sums(Vec<(Destination, Vec<Tally>)>);

impl Sums {
    pub(super) fn of(entries: &[Entry]) -> Self {
        let sums = entries.iter().filter_map(|entry| {
            let mut sum = Tally::NONE;
            let mut sums = Vec::with_capacity(BINS + 1);
            sums.push(sum);
            for bin in entry.bins()? {
                sum = [sum, bin].into_iter().sum();
                sums.push(sum);
            }
            Some((entry.destination, sums))
        });
        Self(sums.collect())
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Attempts to each destination.
    pub(super) fn attempts(&self) -> Vec<u64> {
        self.0.iter().map(|(_, sums)| sums[BINS].total()).collect()
    }

    /// Each destination's attempts in these segments.
    pub(super) fn sides(&self, seen: &[Seen], segments: &[Segment]) -> Vec<(Destination, Sides)> {
        let bins: Vec<_> = segments.iter().map(|segment| (bins(seen, segment), segment.passes)).collect();
        let sides = |sums: &[Tally]| {
            let side = |passes| {
                let chosen = bins.iter().filter(|(_, of)| *of == passes);
                chosen.map(|&((begin, end), _)| sums[end].less(sums[begin])).sum()
            };
            Sides { inside: side(true), outside: side(false) }
        };
        self.0.iter().map(|(destination, sums)| (*destination, sides(sums))).collect()
    }
}

/// The bins, from and to, in which every port that was used belongs to the segment.
fn bins(seen: &[Seen], segment: &Segment) -> (usize, usize) {
    let before = segment.first.checked_sub(1).map(|place| usize::from(seen[place].port) + 1);
    let begin = before.map_or(0, |port| port.div_ceil(256));
    let end = seen.get(segment.last + 1).map_or(BINS, |next| usize::from(next.port) / 256);
    (begin.min(end), end)
}
