//! The attempts of each destination on the two sides of edges.

use std::ops::Range;

use super::answer_counts::AnswerCounts;
use super::destination::Destination;
use super::destinations::{BINS, Bins, DestinationHistory};
use super::port_counts::UsedPort;
use super::segments::Segment;
use super::significance::Stratum;

/// Attempts on both sides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sides {
    pub(super) inside: AnswerCounts,
    pub(super) outside: AnswerCounts,
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
    pub(super) fn sides(&self, seen: &[UsedPort], segments: &[Segment]) -> Vec<(Destination, Sides)> {
        let ranges: Vec<_> = segments.iter().map(|segment| (bins(seen, segment), segment)).collect();
        let sides = |bins: &Bins| {
            let side = |passes| {
                let chosen = ranges.iter().filter(|(_, of)| of.is_in(passes));
                chosen.map(|(range, _)| sum(&bins[range.clone()])).sum()
            };
            Sides { inside: side(true), outside: side(false) }
        };
        self.0.iter().map(|(destination, bins)| (*destination, sides(bins))).collect()
    }
}

fn sum(bins: &[[u32; 2]]) -> AnswerCounts {
    let [unanswered, answered] =
        bins.iter().fold([0, 0], |sum: [u64; 2], bin| [0, 1].map(|of| sum[of] + u64::from(bin[of])));
    AnswerCounts { answered, unanswered }
}

/// The bins in which every port that was used belongs to the segment.
fn bins(seen: &[UsedPort], segment: &Segment) -> Range<usize> {
    let before = segment.first.checked_sub(1).map(|place| usize::from(seen[place].port) + 1);
    let begin = before.map_or(0, |port| port.div_ceil(256));
    let end = seen.get(segment.last + 1).map_or(BINS, |next| usize::from(next.port) / 256);
    begin.min(end)..end
}
