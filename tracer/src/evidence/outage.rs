//! Whether an outage explains the failures as well as a filter does, by the order of the attempts in time.
//!
//! Traffic does not use all ports at all times: a batch job binds its own, and a plain masquerade keeps those of the clients, which
//! Linux takes one after the other. An outage then hits the ports that are in use. It fails all attempts from its beginning to its end,
//! so failures without an answered attempt in between are one event, however many they are.

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::recent::{MAX_RECENT, RecentAttempt, RecentAttempts, weigh};
use crate::model::Side;

/// Fewer events may be outages at whatever length.
const MIN_RUNS: usize = 3;
/// From so many on they are none, and fewer are only if each is as long as `LONG_RUN`.
const ENOUGH_RUNS: usize = 8;
const LONG_RUN: usize = 8;
/// So many failures must each follow an answered attempt inside to the same destination that followed an earlier one, where clients choose
/// the ports that fail: they may try each destination just while it is down.
const MIN_RETURNS: usize = 3;

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
    failures > 0
        && (runs < MIN_RUNS
            || runs < ENOUGH_RUNS && failures >= runs * LONG_RUN
            || is_each_destination_down(attempts, is_inside))
}

/// Whether clients choose most of the ports that fail, and each destination may have been down whenever they tried it.
fn is_each_destination_down(attempts: &[RecentAttempt], is_inside: impl Fn(&RecentAttempt) -> Option<bool>) -> bool {
    let (mut chosen, mut failures, mut returns) = (0, 0, 0);
    // Of each destination with a failure: whether it was answered inside since.
    let mut answered_since: HashMap<u16, bool, FixedState> = HashMap::default();
    for attempt in attempts {
        let entry = attempt.place.entry;
        match (is_inside(attempt), attempt.answered) {
            (Some(true), true) => {
                answered_since.entry(entry).and_modify(|is_answered| *is_answered = true);
            }
            (Some(false), false) => {
                (chosen, failures) = (chosen + usize::from(attempt.place.is_chosen()), failures + 1);
                returns += usize::from(answered_since.insert(entry, false) == Some(true));
            }
            (Some(_) | None, _) => {}
        }
    }
    chosen * 2 > failures && returns < MIN_RETURNS
}

/// The attempts of a period by their time.
pub(super) fn sorted(recent: &RecentAttempts, period: u8) -> Vec<RecentAttempt> {
    newest(recent, period, MAX_RECENT, |_| true)
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
