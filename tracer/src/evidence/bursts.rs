//! Whether the attempts that fail come in bursts, and those that are answered do not: a rate limit on the path (a policer, flood
//! protection) then explains the failures as well.

use super::chance::LIKELY_NATS;
use super::entry::evidence_of;
use super::recent::RecentAttempt;
use crate::infer::Stratum;
use crate::model::Answers;

/// This many attempts within this time are a burst.
const MIN_BURST: usize = 3;
const BURST_NS: u64 = 10_000_000;
/// Answered attempts come in bursts so many times less often.
const MIN_RATIO: u64 = 10;

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
        && evidence_of(Stratum::of(inside, outside)) >= LIKELY_NATS
}

fn is_in_burst(attempts: &[RecentAttempt], place: usize) -> bool {
    let first = (place + 1).saturating_sub(MIN_BURST);
    let near = attempts.get(first..(place + MIN_BURST).min(attempts.len())).unwrap_or_default();
    near.windows(MIN_BURST).any(|burst| match burst {
        [first, .., last] => last.at_ns - first.at_ns <= BURST_NS,
        _ => false,
    })
}
