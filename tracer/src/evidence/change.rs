//! When a filter appeared or disappeared, by the attempts of a path one by one.

use std::collections::BTreeMap;

use super::recent::RecentAttempt;
use crate::infer::{Stratum, evidence};
use crate::model::Answers;

/// ln(10,000), and the logarithm of how many moments are tried: as for a claim that is proven, whatever moment is chosen.
const NEEDED_NATS: f64 = 9.3 + 8.4;
/// Attempts on each side of a change.
const MIN_ATTEMPTS: usize = 6;

/// How often attempts from ports outside of a range were answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Passing {
    /// Practically never.
    Rarely,
    /// Mostly.
    Mostly,
    /// Neither.
    Sometimes,
}

impl Passing {
    pub(super) const fn of(answered: usize, all: usize) -> Self {
        if answered * 10 < all {
            Self::Rarely
        } else if answered * 2 > all {
            Self::Mostly
        } else {
            Self::Sometimes
        }
    }
}

/// When the path began or ceased to drop return traffic to the ports outside of a range; attempts in the order of their time.
/// `is_inside` says on which side of the range a port is, and nothing for ports that do not matter.
///
/// Two things must both be beyond chance, with each destination as a stratum: that those outside fare otherwise before than after, and
/// that, while they are not answered, those inside are. So an outage is no filter, nor is a destination that dies.
pub(super) fn find(attempts: &[RecentAttempt], is_inside: impl Fn(&RecentAttempt) -> Option<bool>) -> Option<u64> {
    let outside: Vec<_> = attempts.iter().filter(|attempt| is_inside(attempt) == Some(false)).collect();
    let at = likeliest(&outside)?;
    let at_ns = outside.get(at)?.at_ns;
    let passing = passing(by_destination(outside.iter().copied(), |attempt| attempt.at_ns >= at_ns).into_values());
    let is_filtered_first = match passing {
        [Passing::Rarely, Passing::Mostly] => true,
        [Passing::Mostly, Passing::Rarely] => false,
        [Passing::Rarely | Passing::Mostly | Passing::Sometimes, _] => return None,
    };
    let is_filtered = |attempt: &RecentAttempt| (attempt.at_ns < at_ns) == is_filtered_first;
    let changed = strata(outside.iter().copied(), |attempt| is_filtered(attempt));
    let all = attempts.iter().filter(|attempt| is_filtered(attempt) && is_inside(attempt).is_some());
    let differs = strata(all, |attempt| is_inside(attempt) == Some(false));
    [changed, differs].iter().all(|strata| evidence(strata).total >= NEEDED_NATS).then_some(at_ns)
}

/// How often destinations answered before and after, but for those that bypass the filter: they answer at all times.
fn passing(destinations: impl Iterator<Item = [Answers; 2]>) -> [Passing; 2] {
    let of = |Answers { answered, unanswered }| Passing::of(answered as usize, (answered + unanswered) as usize);
    let is_bypassing = |of_one: &[Answers; 2]| of_one.map(of) == [Passing::Mostly; 2];
    let [mut before, mut after] = [Answers::default(); 2];
    for [first, then] in destinations.filter(|of_one| !is_bypassing(of_one)) {
        (before, after) = ([before, first].into_iter().sum(), [after, then].into_iter().sum());
    }
    [before, after].map(of)
}

fn answered(attempts: &[&RecentAttempt]) -> usize {
    attempts.iter().filter(|attempt| attempt.answered).count()
}

/// Where the rate of answers most likely changes.
fn likeliest(attempts: &[&RecentAttempt]) -> Option<usize> {
    let all = attempts.len();
    let total = answered(attempts);
    let mut before = 0;
    let mut best = None;
    for (at, attempt) in attempts.iter().enumerate() {
        if (MIN_ATTEMPTS..=all.saturating_sub(MIN_ATTEMPTS)).contains(&at) {
            let likelihood = log_likelihood(before, at) + log_likelihood(total - before, all - at);
            if best.is_none_or(|(most, _)| likelihood > most) {
                best = Some((likelihood, at));
            }
        }
        before += usize::from(attempt.answered);
    }
    best.map(|(_, at)| at)
}

#[expect(clippy::cast_precision_loss, reason = "a likelihood")]
fn log_likelihood(answered: usize, all: usize) -> f64 {
    let part = |count: usize| if count == 0 { 0.0 } else { count as f64 * (count as f64 / all as f64).ln() };
    part(answered) + part(all - answered)
}

/// The attempts of each destination that count for the test, with those on the side that is said to be denied.
pub(super) fn strata<'a>(
    attempts: impl Iterator<Item = &'a RecentAttempt>,
    is_denied: impl Fn(&RecentAttempt) -> bool,
) -> Vec<Stratum> {
    let sides = by_destination(attempts.filter(|attempt| attempt.is_weighed), is_denied);
    sides.into_values().map(|[passed, denied]| Stratum::of(passed, denied)).collect()
}

/// The answers of each destination to attempts on two sides of something.
fn by_destination<'a>(
    attempts: impl Iterator<Item = &'a RecentAttempt>,
    is_beyond: impl Fn(&RecentAttempt) -> bool,
) -> BTreeMap<u16, [Answers; 2]> {
    let mut sides: BTreeMap<u16, [Answers; 2]> = BTreeMap::new();
    for attempt in attempts {
        sides.entry(attempt.place.entry).or_default()[usize::from(is_beyond(attempt))].add(attempt.answered);
    }
    sides
}
