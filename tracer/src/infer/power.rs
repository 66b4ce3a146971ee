//! What so many attempts can show: which class of ports would have been seen, and how many attempts are needed.
//!
//! A class in which a share of the attempts falls, none of them answered, is worth their mutual information; each
//! destination costs what its own unknown failure rate takes (the entropy of its number of unanswered attempts). The rest
//! is measured: tests compare both numbers with simulated traffic.

use std::f64::consts::{E, PI};

use super::destinations::BINS;
use super::significance::usually_needed;

/// Nine times in ten by this estimate, at least four in five as measured: so many standard deviations below the mean.
const POWER_DEVIATIONS: f64 = 1.28;
/// The largest share that is looked for, in thousandths.
const MAX_SHARE_PER_MILLE: u64 = 500;
/// No more attempts than this are asked for.
const MAX_ATTEMPTS: u64 = 1 << 30;

/// The smallest share of attempts that a class must have to be seen, at most a half, given attempts by destination.
#[expect(clippy::cast_precision_loss, reason = "at most 500")]
pub(super) fn visible_share(attempts: &[u64], fails: f64) -> Option<f64> {
    let share = |per_mille: u64| per_mille as f64 / 1000.0;
    let is_visible = |per_mille| is_enough(attempts.iter().copied(), share(per_mille), fails);
    is_visible(MAX_SHARE_PER_MILLE).then(|| share(smallest(MAX_SHARE_PER_MILLE, is_visible)))
}

/// How many attempts it takes, spread evenly over so many destinations, to see a class with this share.
pub(super) fn attempts_needed(destinations: usize, share: f64, fails: f64) -> u64 {
    let destinations = destinations.max(2);
    let each = |attempts: u64| std::iter::repeat_n(attempts.div_ceil(destinations as u64), destinations);
    smallest(MAX_ATTEMPTS, |attempts| is_enough(each(attempts), share, fails))
}

/// The smallest number that is enough, where `high` is and so is each one above another that is.
fn smallest(mut high: u64, is_enough: impl Fn(u64) -> bool) -> u64 {
    let mut low = 0;
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if is_enough(middle) { high = middle } else { low = middle }
    }
    high
}

/// Whether the evidence is enough and shared, four times in five.
#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn is_enough(attempts: impl Iterator<Item = u64>, share: f64, fails: f64) -> bool {
    // Attempts in bins that an edge cuts say nothing.
    let share = (share - 1.0 / BINS as f64).max(0.0);
    let Thinned { kept, share, fails } = thinned(share, fails);
    let unanswered = share + (1.0 - share) * fails;
    let information = entropy(unanswered) - (1.0 - share) * entropy(fails);
    let (mut sum, mut strongest, mut inside) = (0.0, 0.0_f64, 0.0);
    for attempts in attempts.map(|attempts| attempts as f64 * kept) {
        let cost = (1.0 + 2.0 * PI * E * attempts * unanswered * (1.0 - unanswered)).ln() / 2.0;
        let worth = (attempts * information - cost).max(0.0);
        let more_by_chance = 1.0 + 1.0 / (attempts * share).sqrt();
        sum += worth;
        strongest = strongest.max(worth * more_by_chance);
        inside += attempts * share;
    }
    sum.min(2.0 * (sum - strongest)) * (1.0 - POWER_DEVIATIONS / inside.sqrt()) >= usually_needed()
}

/// What is left where of failures in a row only two count.
struct Thinned {
    kept: f64,
    share: f64,
    fails: f64,
}

fn thinned(share: f64, fails: f64) -> Thinned {
    let unanswered = share + (1.0 - share) * fails;
    let counts = 1.0 - unanswered * unanswered;
    let (outside, inside, answered) = (share * counts, (1.0 - share) * fails * counts, (1.0 - share) * (1.0 - fails));
    let kept = outside + inside + answered;
    Thinned { kept, share: outside / kept, fails: inside / (inside + answered) }
}

/// Of a coin, in nats.
fn entropy(share: f64) -> f64 {
    let term = |p: f64| if p > 0.0 { -p * p.ln() } else { 0.0 };
    term(share) + term(1.0 - share)
}
