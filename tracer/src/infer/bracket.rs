//! Where an edge can be: every place whose likelihood is not too far below that of the best.
//!
//! The likelihood ratio of a wrong place against the true one, as the wrong place moves away, is a martingale with mean 1, so
//! it ever exceeds exp(c) with a probability of at most exp(-c) (Ville's inequality), on each of two sides.

use super::conclusion::{Edge, Passes};
use super::port_counts::UsedPort;
use super::segments::{Logs, Segment};
use crate::model::PortSet;

/// ln(2 / 0.01): the bracket misses an edge at most once in a hundred times.
const BRACKET_NATS: f64 = 5.298;

/// The ranges that pass, with brackets.
pub(super) fn passes(seen: &[UsedPort], segments: &[Segment], logs: Logs) -> Vec<Passes> {
    let passing = segments.iter().enumerate().filter(|(_, segment)| segment.is_in(true));
    passing
        .map(|(place, segment)| {
            let low = match place.checked_sub(1) {
                Some(before) => between(seen, &segments[before], segment, logs),
                None => {
                    Edge { from: 0, to: seen[segment.first].port, best: seen[segment.first].port, is_measured: false }
                }
            };
            let high = match segments.get(place + 1) {
                Some(after) => last_before(between(seen, segment, after, logs)),
                None => Edge {
                    from: seen[segment.last].port,
                    to: u16::MAX,
                    best: seen[segment.last].port,
                    is_measured: false,
                },
            };
            Passes { low, high }
        })
        .collect()
}

/// What is undecided, with the brackets of its edges.
pub(super) fn undecided(seen: &[UsedPort], segments: &[Segment], logs: Logs) -> PortSet {
    let of = |(place, segment): (usize, &Segment)| {
        let before = place.checked_sub(1).map(|before| between(seen, &segments[before], segment, logs).from);
        let after = segments.get(place + 1).map(|after| last_before(between(seen, segment, after, logs)).to);
        (before.unwrap_or(0), after.unwrap_or(u16::MAX))
    };
    PortSet::of(segments.iter().enumerate().filter(|(_, segment)| segment.is_undecided).map(of))
}

/// From the first port of what follows to the last port of what is before it.
const fn last_before(edge: Edge) -> Edge {
    Edge { from: edge.from.saturating_sub(1), to: edge.to.saturating_sub(1), best: edge.best.saturating_sub(1), ..edge }
}

/// Where the first port of the right segment can be.
fn between(seen: &[UsedPort], left: &Segment, right: &Segment, logs: Logs) -> Edge {
    // What is gained by giving a port to the right segment.
    let gain = |place: usize| {
        let of = |passes| logs.likelihood(passes, seen[place].answers);
        of(right.passes) - of(left.passes)
    };
    // An edge at a place: that port is the first of the right segment.
    let leftwards = running((left.first + 1..=left.last).rev().map(|place| (place, gain(place))));
    let rightwards = running((right.first..right.last).map(|place| (place + 1, -gain(place))));
    let mut places: Vec<(usize, f64)> = leftwards.collect();
    places.reverse();
    places.push((right.first, 0.0));
    places.extend(rightwards);
    let best = places.iter().fold(0.0_f64, |best, &(_, score)| best.max(score));
    let near = places.iter().filter(|(_, score)| *score >= best - BRACKET_NATS).map(|&(place, _)| place);
    let (lowest, highest) = near.fold((usize::MAX, 0), |(low, high), place| (low.min(place), high.max(place)));
    Edge {
        from: seen[lowest - 1].port + 1,
        to: seen[highest].port,
        best: median(seen, &places, best),
        is_measured: true,
    }
}

/// The port below which the edge lies as likely as above, all ports being equally likely beforehand.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "less than the gap between two ports")]
fn median(seen: &[UsedPort], places: &[(usize, f64)], best: f64) -> u16 {
    let gap = |place: usize| f64::from(seen[place].port - seen[place - 1].port);
    let weight = |&(place, score): &(usize, f64)| gap(place) * (score - best).exp();
    let mut left = places.iter().map(weight).sum::<f64>() / 2.0;
    for place in places {
        let here = weight(place);
        if here >= left {
            let steps = (gap(place.0) * left / here).ceil().max(1.0) as u16;
            return seen[place.0 - 1].port + steps;
        }
        left -= here;
    }
    seen[places[places.len() - 1].0].port
}

/// Sums up gains; stops where no way back is to be expected.
fn running(gains: impl Iterator<Item = (usize, f64)>) -> impl Iterator<Item = (usize, f64)> {
    gains.scan(0.0, |sum, (place, gain)| {
        *sum += gain;
        Some((place, *sum))
    })
}
