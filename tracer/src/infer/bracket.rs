//! Where an edge can be: every place whose likelihood is not too far below that of the best.
//!
//! The likelihood ratio of a wrong place against the true one, as the wrong place moves away, is a martingale with mean 1, so
//! it ever exceeds exp(c) with a probability of at most exp(-c) (Ville's inequality), on each of two sides.

use super::conclusion::{Edge, Passes};
use super::counts::Seen;
use super::segments::{Rates, Segment};

/// ln(2 / 0.01): the bracket misses an edge at most once in a hundred times.
const DROP: f64 = 5.298;

/// The ranges that pass, with brackets.
pub(super) fn passes(seen: &[Seen], segments: &[Segment], rates: Rates) -> Vec<Passes> {
    let passing = segments.iter().enumerate().filter(|(_, segment)| segment.passes);
    passing
        .map(|(place, segment)| {
            let low = match place.checked_sub(1) {
                Some(before) => between(seen, &segments[before], segment, rates),
                None => Edge { from: 0, to: seen[segment.first].port, best: seen[segment.first].port, is_measured: false },
            };
            let high = match segments.get(place + 1) {
                Some(after) => last_before(between(seen, segment, after, rates)),
                None => Edge { from: seen[segment.last].port, to: u16::MAX, best: seen[segment.last].port, is_measured: false },
            };
            Passes { low, high }
        })
        .collect()
}

/// From the first port of what follows to the last port of what is before it.
const fn last_before(edge: Edge) -> Edge {
    Edge { from: edge.from.saturating_sub(1), to: edge.to.saturating_sub(1), best: edge.best.saturating_sub(1), ..edge }
}

/// Where the first port of the right segment can be.
fn between(seen: &[Seen], left: &Segment, right: &Segment, rates: Rates) -> Edge {
    // What is gained by giving a port to the right segment.
    let gain = |place: usize| {
        let of = |passes| rates.log_likelihood(passes, seen[place].tally);
        of(right.passes) - of(left.passes)
    };
    // An edge at a place: that port is the first of the right segment.
    let leftwards = running((left.first + 1..=left.last).rev().map(|place| (place, gain(place))));
    let rightwards = running((right.first..right.last).map(|place| (place + 1, -gain(place))));
    let all = leftwards.chain([(right.first, 0.0)]).chain(rightwards);
    let places: Vec<(usize, f64)> = all.collect();
    let best = places.iter().fold((right.first, 0.0), |best, &next| if next.1 > best.1 { next } else { best });
    let near = places.iter().filter(|(_, score)| *score >= best.1 - DROP).map(|&(place, _)| place);
    let (lowest, highest) = near.fold((best.0, best.0), |(low, high), place| (low.min(place), high.max(place)));
    let (before, at) = (seen[best.0 - 1].port, seen[best.0].port);
    Edge {
        from: seen[lowest - 1].port + 1,
        to: seen[highest].port,
        best: before + (at - before).div_ceil(2),
        is_measured: true,
    }
}

/// Sums up gains; stops where no way back is to be expected.
fn running(gains: impl Iterator<Item = (usize, f64)>) -> impl Iterator<Item = (usize, f64)> {
    gains.scan(0.0, |sum, (place, gain)| {
        *sum += gain;
        Some((place, *sum))
    })
}
