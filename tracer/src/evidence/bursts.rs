//! Whether the attempts that fail come in bursts, and those that are answered do not: a rate limit on the path (a policer, flood
//! protection) then explains the failures as well.

use super::recent::RecentAttempt;
use crate::infer::{Stratum, evidence_within};
use crate::model::Answers;

/// This many attempts within this time are a burst.
const MIN_BURST: usize = 3;
const BURST_NS: u64 = 10_000_000;
/// ln(100): a doubt needs no proof.
const ENOUGH_NATS: f64 = 4.605_170;
/// Answered attempts come in bursts so many times less often.
const MIN_RATIO: u64 = 10;
/// Outcomes that the test lists; beyond that a coarser bound does.
const MAX_OUTCOMES: u64 = 64;

/// Whether most failures outside come in bursts, and hardly an answered attempt inside does. Attempts in the order of their time, which is
/// when they began; `is_inside` as for `come_in_runs`.
pub(super) fn differ(attempts: &[RecentAttempt], is_inside: impl Fn(&RecentAttempt) -> Option<bool>) -> bool {
    // Attempts of a burst count as unanswered ones do for the test.
    let [mut inside, mut outside] = [Answers::default(); 2];
    for (place, attempt) in attempts.iter().enumerate() {
        match (is_inside(attempt), attempt.answered) {
            (Some(true), true) => inside.add(!is_in_burst(attempts, place)),
            (Some(false), false) => outside.add(!is_in_burst(attempts, place)),
            (Some(_) | None, _) => {}
        }
    }
    outside.unanswered > outside.answered
        && inside.unanswered * MIN_RATIO < inside.total()
        && evidence_within(&[Stratum::of(inside, outside)], MAX_OUTCOMES).total >= ENOUGH_NATS
}

fn is_in_burst(attempts: &[RecentAttempt], place: usize) -> bool {
    let first = (place + 1).saturating_sub(MIN_BURST);
    let near = attempts.get(first..(place + MIN_BURST).min(attempts.len())).unwrap_or_default();
    near.windows(MIN_BURST).any(|burst| match burst {
        [first, .., last] => last.at_ns - first.at_ns <= BURST_NS,
        _ => false,
    })
}
