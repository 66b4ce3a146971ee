//! Whether an outage explains the failures as well as a filter does, by the order of the attempts in time.
//!
//! Traffic does not use all ports at all times: a batch job binds its own, and a plain masquerade keeps those of the clients, which
//! Linux takes one after the other. An outage then hits the ports that are in use. It fails all attempts from its beginning to its end,
//! so failures without an answered attempt in between are one event, however many they are.

use super::recent::{MAX_RECENT, RecentAttempt, RecentAttempts, weigh};
use crate::model::Side;

/// Fewer events may be outages at whatever length.
const MIN_RUNS: usize = 3;
/// From so many on they are none, and fewer are only if each is as long as `LONG_RUN`.
const ENOUGH_RUNS: usize = 8;
const LONG_RUN: usize = 8;

/// Whether failures outside follow one another in few runs without an answer inside in between. Attempts in the order of their time.
pub(super) fn come_in_runs(attempts: &[RecentAttempt], is_inside: impl Fn(&RecentAttempt) -> Option<bool>) -> bool {
    let (mut runs, mut failures, mut is_in_run) = (0, 0, false);
    for attempt in attempts {
        match (is_inside(attempt), attempt.answered) {
            (Some(true), true) => is_in_run = false,
            (Some(false), false) => {
                runs += usize::from(!is_in_run);
                failures += 1;
                is_in_run = true;
            }
            (Some(_) | None, _) => {}
        }
    }
    failures > 0 && (runs < MIN_RUNS || runs < ENOUGH_RUNS && failures >= runs * LONG_RUN)
}

/// The attempts of a period by their time.
pub(super) fn sorted(recent: &RecentAttempts, period: u8) -> Vec<RecentAttempt> {
    newest(recent, period, MAX_RECENT, |_| true)
}

/// Those of them to private destinations, or those to public ones.
pub(super) fn of_kind(recent: &RecentAttempts, period: u8, is_private: bool) -> Vec<RecentAttempt> {
    newest(recent, period, MAX_RECENT, |attempt| attempt.place.is_private == is_private)
}

/// So many of some attempts of a period, the newest, by their time.
pub(super) fn newest(
    recent: &RecentAttempts,
    period: u8,
    many: usize,
    is_of: impl Fn(&RecentAttempt) -> bool,
) -> Vec<RecentAttempt> {
    let chosen = recent.iter().filter(|it| it.place.period == period && is_of(it));
    // Times and places are less to move than attempts.
    let mut order: Vec<_> = (0_usize..).zip(chosen).map(|(place, attempt)| (attempt.at_ns, place, attempt)).collect();
    let older = order.len().saturating_sub(many);
    let by_time = |&(at_ns, place, _): &(u64, usize, _)| (at_ns, place);
    if older > 0 {
        order.select_nth_unstable_by_key(older, by_time);
    }
    let newest = &mut order[older..];
    newest.sort_unstable_by_key(by_time);
    let mut attempts: Vec<_> = newest.iter().map(|(.., attempt)| **attempt).collect();
    weigh(&mut attempts);
    attempts
}

/// Whether a port is in the policy, and nothing for ports on other sides of it than this one.
pub(super) fn of_policy(side: Side) -> impl Fn(&RecentAttempt) -> Option<bool> {
    move |attempt| match attempt.place.side {
        Side::Inside => Some(true),
        of if of == side => Some(false),
        Side::Below | Side::Between | Side::Above => None,
    }
}
