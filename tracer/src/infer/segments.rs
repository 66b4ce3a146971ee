//! The likeliest division of the port space into ranges that pass and ranges that do not.
//!
//! Inside, an attempt goes unanswered with probability `fails`; outside it is answered with probability `leaks`. For given
//! rates the best division is found by dynamic programming (Viterbi, two states) at a fixed price per edge; rates and
//! division are improved in turns.

use super::port_counts::UsedPort;
use crate::model::{Answers, PortSet};

/// Price of an edge in nats: it can be anywhere among 65536 ports (minimum description length).
const EDGE_PRICE_NATS: f64 = 11.09;
/// Turns of improvement; it settles after two or three.
const MAX_TURNS: usize = 10;
/// Where improvement starts: a clean path, one with failures of other kinds, and one that only some destinations share.
const STARTS: [Rates; 4] = [
    Rates { fails: 0.02, leaks: 0.001 },
    Rates { fails: 0.1, leaks: 0.01 },
    Rates { fails: 0.35, leaks: 0.02 },
    Rates { fails: 0.05, leaks: 0.4 },
];

/// Ports next to each other that fare alike, as places in the list of ports seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Segment {
    pub(super) first: usize,
    pub(super) last: usize,
    pub(super) passes: bool,
    /// Chance may explain it: it is in neither class.
    pub(super) is_undecided: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rates {
    pub(super) fails: f64,
    pub(super) leaks: f64,
}

impl Rates {
    /// As counted inside and outside. The small additions keep the logarithms finite: half an attempt for failures, which
    /// happen anyway, and a hundredth for leaks, which a filter does not have.
    #[expect(clippy::cast_precision_loss, reason = "rates")]
    pub(super) fn of(inside: Answers, outside: Answers) -> Self {
        Self {
            fails: (inside.unanswered as f64 + 0.5) / (inside.total() as f64 + 1.0),
            leaks: (outside.answered as f64 + 0.01) / (outside.total() as f64 + 1.0),
        }
    }

    /// Their logarithms, taken once for all ports.
    pub(super) fn logs(self) -> Logs {
        Logs { passed: [(1.0 - self.fails).ln(), self.fails.ln()], denied: [self.leaks.ln(), (1.0 - self.leaks).ln()] }
    }
}

/// Logarithms of the probabilities that an attempt is answered and unanswered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Logs {
    passed: [f64; 2],
    denied: [f64; 2],
}

impl Logs {
    /// Log-likelihood of what was seen at a port.
    #[expect(clippy::cast_precision_loss, reason = "a likelihood")]
    pub(super) fn likelihood(self, passes: bool, counts: Answers) -> f64 {
        let [answered, unanswered] = if passes { self.passed } else { self.denied };
        counts.answered as f64 * answered + counts.unanswered as f64 * unanswered
    }
}

impl Segment {
    /// Whether it is in that class.
    pub(super) const fn is_in(&self, passes: bool) -> bool {
        self.passes == passes && !self.is_undecided
    }
}

/// Attempts in the segments that are said to pass, or in those that are said not to.
pub(super) fn count(seen: &[UsedPort], segments: &[Segment], passes: bool) -> Answers {
    let chosen = segments.iter().filter(|segment| segment.is_in(passes));
    chosen.flat_map(|segment| &seen[segment.first..=segment.last]).map(|seen| seen.answers).sum()
}

/// The likeliest division; a single segment or none where nothing speaks for more.
pub(super) fn divide(seen: &[UsedPort]) -> Vec<Segment> {
    divide_at(seen, EDGE_PRICE_NATS)
}

/// As `divide`, at another price per edge.
pub(super) fn divide_at(seen: &[UsedPort], price: f64) -> Vec<Segment> {
    let (mut met, mut best) = (Vec::new(), (Vec::new(), f64::NEG_INFINITY));
    for start in STARTS {
        if let Some(end) = improve(seen, start, price, &mut met) {
            let score = score(seen, &end, price);
            if score >= best.1 {
                best = (end, score);
            }
        }
    }
    best.0
}

/// `None` where it comes to a division that an earlier start met on its way to the end.
fn improve(seen: &[UsedPort], start: Rates, price: f64, met: &mut Vec<Vec<Segment>>) -> Option<Vec<Segment>> {
    let (mut segments, mut way) = (best_for(seen, start, price), Vec::new());
    for _ in 0..MAX_TURNS {
        if met.contains(&segments) {
            return None;
        }
        let next = best_for(seen, rates(seen, &segments), price);
        way.push(segments);
        if way.last() == Some(&next) {
            met.append(&mut way);
            return Some(next);
        }
        segments = next;
    }
    Some(segments)
}

fn rates(seen: &[UsedPort], segments: &[Segment]) -> Rates {
    Rates::of(count(seen, segments, true), count(seen, segments, false))
}

#[expect(clippy::cast_precision_loss, reason = "a likelihood")]
fn score(seen: &[UsedPort], segments: &[Segment], price: f64) -> f64 {
    let logs = rates(seen, segments).logs();
    let of = |passes| logs.likelihood(passes, count(seen, segments, passes));
    of(true) + of(false) - price * segments.len().saturating_sub(1) as f64
}

/// The best division for given rates.
fn best_for(seen: &[UsedPort], rates: Rates, price: f64) -> Vec<Segment> {
    let logs = rates.logs();
    let mut scores = [0.0_f64; 2];
    // For each port and state: whether the best way there comes from the other state.
    let mut switched = Vec::with_capacity(seen.len());
    for (place, port) in seen.iter().enumerate() {
        let price = if place == 0 { f64::INFINITY } else { price };
        let from_other = [scores[1] - price > scores[0], scores[0] - price > scores[1]];
        scores = [0, 1].map(|state| {
            let before = if from_other[state] { scores[1 - state] - price } else { scores[state] };
            before + logs.likelihood(state == 1, port.answers)
        });
        switched.push(from_other);
    }
    trace(&switched, usize::from(scores[1] >= scores[0]))
}

fn trace(switched: &[[bool; 2]], mut state: usize) -> Vec<Segment> {
    let mut segments = Vec::new();
    let mut last = switched.len();
    for place in (0..switched.len()).rev() {
        if place == 0 || switched[place][state] {
            segments.push(Segment { first: place, last: last - 1, passes: state == 1, is_undecided: false });
            state = 1 - state;
            last = place;
        }
    }
    segments.reverse();
    segments
}

/// The division that these ports make, where they pass and no others.
pub(super) fn given(seen: &[UsedPort], passing: &PortSet) -> Vec<Segment> {
    let mut segments: Vec<Segment> = Vec::new();
    for (place, UsedPort { port, .. }) in seen.iter().enumerate() {
        let passes = passing.contains(*port);
        match segments.last_mut() {
            Some(segment) if segment.passes == passes => segment.last = place,
            Some(_) | None => segments.push(Segment { first: place, last: place, passes, is_undecided: false }),
        }
    }
    segments
}

/// Classes of a division, as places in it: decided segments that fare alike without any between them that does not.
pub(super) fn groups(segments: &[Segment]) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (place, segment) in segments.iter().enumerate().filter(|(_, segment)| !segment.is_undecided) {
        match groups.last_mut() {
            Some(group) if segments[group[0]].passes == segment.passes => group.push(place),
            Some(_) | None => groups.push(vec![place]),
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(ports: impl IntoIterator<Item = (u16, bool)>) -> Vec<UsedPort> {
        let one = |answered: bool| Answers { answered: u64::from(answered), unanswered: u64::from(!answered) };
        ports.into_iter().map(|(port, answered)| UsedPort { port, answers: one(answered) }).collect()
    }

    fn segment(first: usize, last: usize, passes: bool) -> Segment {
        Segment { first, last, passes, is_undecided: false }
    }

    #[test]
    fn a_step_is_found_where_it_is() {
        let ports = seen((0..200).map(|n| (n * 300, n >= 77)));
        assert_eq!(divide(&ports), [segment(0, 76, false), segment(77, 199, true)]);
    }

    #[test]
    fn two_ranges_and_stray_failures_are_told_apart() {
        let passes = |n: u16| (50..100).contains(&n) || n >= 150;
        let ports = seen((0..200).map(|n| (n * 300, passes(n) && n % 17 != 0)));
        let edges: Vec<_> = divide(&ports).iter().map(|segment| (segment.first, segment.passes)).collect();
        assert_eq!(edges, [(0, false), (50, true), (100, false), (150, true)]);
    }

    #[test]
    fn failures_at_random_make_no_segment() {
        let ports = seen((0..400).map(|n| (n * 100, u32::from(n) * 7919 % 97 > 9)));
        assert_eq!(divide(&ports), [segment(0, 399, true)]);
        assert_eq!(divide(&[]), []);
    }

    #[test]
    fn what_is_undecided_parts_no_group() {
        let mut five = [(0, 3, true), (4, 5, false), (6, 9, true), (10, 12, false), (13, 15, true)]
            .map(|(a, b, c)| segment(a, b, c));
        five[1].is_undecided = true;
        assert_eq!(groups(&five), [vec![0, 2], vec![3], vec![4]]);
        five[4].is_undecided = true;
        assert_eq!(groups(&five), [vec![0, 2], vec![3]]);
    }
}
