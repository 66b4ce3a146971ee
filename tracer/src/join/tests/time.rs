//! When retransmits are reported and attempts end.

use super::*;
use crate::join::times::{DONE_NS, IDLE_NS, LINGER_NS, SETTLE_NS, SWEEP_NS};
use crate::model::Outcome;

#[test]
fn a_retransmit_is_told_once_it_has_settled() {
    let mut join = Joins::new(1);
    assert!(feed(&mut join, &[retransmit(0, ISN, pod(1), 1), tick(SETTLE_NS - 1)]).retransmits.is_empty());
    assert_eq!(feed(&mut join, &[tick(SETTLE_NS)]).retransmitted(), [(0, 1)]);
    // Any event lets it settle.
    feed(&mut join, &[retransmit(S, ISN, pod(1), 2)]);
    assert_eq!(feed(&mut join, &[syn(S + SETTLE_NS, 5, node(3))]).retransmitted(), [(S, 2)]);
}

#[test]
fn facts_that_come_within_the_settle_time_are_told_with_the_retransmit() {
    let events = [retransmit(0, ISN, pod(1), 1), bind(5 * MS, ISN, pod(1), node(9))];
    assert_eq!(join(&events).ports(), [Some(9)]);
}

#[test]
fn retransmits_are_told_in_the_order_in_which_they_were_sent() {
    let events =
        [retransmit(2_000, 1, pod(1), 1), retransmit(1_000, 2, pod(2), 1), retransmit(2_000, 3, pod(3), 1), tick(S)];
    let outcomes = join(&events);
    assert_eq!(outcomes.retransmits.iter().map(|retransmit| retransmit.attempt.isn).collect::<Vec<_>>(), [2, 1, 3]);
}

#[test]
fn the_end_of_the_capture_tells_what_has_not_settled() {
    let events = [retransmit(2_000, 1, pod(1), 1), retransmit(1_000, 2, pod(2), 1)];
    let outcomes = join(&events);
    assert_eq!(outcomes.retransmitted(), [(1_000, 1), (2_000, 1)]);
    assert_eq!(outcomes.ended.len(), 2);
}

#[test]
fn an_attempt_that_went_well_waits_a_moment_for_late_facts_and_then_ends_once() {
    let mut join = Joins::new(1);
    feed(&mut join, &[established(0, ISN, pod(1)), bind(MS, ISN, pod(1), node(9)), tick(MS + DONE_NS - 1)]);
    assert_eq!(join.open(), 1);
    let outcomes = feed(&mut join, &[tick(MS + DONE_NS)]);
    assert_eq!(outcomes.only().translated, Some(node(9)));
    assert_eq!((outcomes.only().first_ns, outcomes.only().last_ns), (T0, T0 + MS));
    assert!(finish(&mut join).ended.is_empty());
}

#[test]
fn an_attempt_that_needed_a_second_syn_lingers() {
    let mut join = Joins::new(1);
    let events = [retransmit(0, ISN, pod(1), 1), established(MS, ISN, pod(1)), tick(MS + LINGER_NS - 1)];
    assert!(feed(&mut join, &events).ended.is_empty());
    assert_eq!(feed(&mut join, &[tick(MS + LINGER_NS)]).only().outcome, Outcome::Established);
}

#[test]
fn what_is_over_ends_without_a_tick() {
    let mut join = Joins::new(1);
    let outcomes = feed(&mut join, &[established(0, ISN, pod(1)), syn(DONE_NS + SWEEP_NS, 5, node(9))]);
    assert_eq!(outcomes.only().isn, ISN);
}

#[test]
fn a_socket_that_is_never_heard_of_again_ends_without_an_outcome() {
    let mut join = Joins::new(1);
    let before = feed(&mut join, &[retransmit(0, ISN, pod(1), 1), tick(IDLE_NS - 1)]);
    assert!(before.ended.is_empty());
    assert_eq!(feed(&mut join, &[tick(IDLE_NS)]).only().outcome, Outcome::Pending);
}

#[test]
fn every_fact_lets_an_attempt_live_on() {
    let mut join = Joins::new(1);
    let events = [syn(0, ISN, node(9)), syn(0, 5, node(8)), syn(100 * S, ISN, node(9)), tick(IDLE_NS)];
    let outcomes = feed(&mut join, &events);
    assert_eq!(outcomes.only().isn, 5);
    assert_eq!(feed(&mut join, &[tick(100 * S + IDLE_NS)]).only().isn, ISN);
}

#[test]
fn an_attempt_keeps_its_number_until_it_ends() {
    let mut join = Joins::new(1);
    let mut seen = Vec::new();
    let mut see = |update| {
        if let Update::Attempt { id, kind, attempt } = update {
            seen.push((id, attempt.isn, kind == UpdateKind::Ended));
        }
    };
    let events = [retransmit(0, 1, pod(1), 1), retransmit(0, 2, pod(2), 1), tick(S), retransmit(S, 1, pod(1), 2)];
    feed_each(&mut join, &events, &mut see);
    finish_each(&mut join, &mut see);
    assert_eq!(seen, [(0, 1, false), (1, 2, false), (0, 1, false), (1, 2, true), (0, 1, true)]);
}

#[test]
fn a_wrong_time_far_ahead_holds_up_nothing_that_comes_after() {
    let mut join = Joins::new(1);
    let far = u64::MAX - T0;
    let mut outcomes = feed(&mut join, &[syn(far, 1, node(1)), tick(far), established(0, ISN, pod(1))]);
    let more = feed(&mut join, &[tick(LINGER_NS), retransmit(2 * S, 3, pod(3), 1), tick(3 * S)]);
    outcomes.ended.extend(more.ended);
    assert_eq!(outcomes.ended.iter().map(|attempt| attempt.isn).collect::<Vec<_>>(), [1, ISN]);
    assert_eq!(more.retransmits.len(), 1);
    assert_eq!(join.open(), 1);
}

#[test]
fn the_word_of_the_socket_settles_by_its_own_time() {
    let mut join = Joins::new(1);
    let events = [syn(0, ISN, node(9)), syn(S, ISN, node(9)), retransmit(S + 15 * MS, ISN, pod(1), 1)];
    feed(&mut join, &events);
    assert!(feed(&mut join, &[tick(S + 30 * MS)]).retransmits.is_empty());
    assert_eq!(feed(&mut join, &[tick(S + 35 * MS)]).retransmitted(), [(S + 15 * MS, 1)]);
}

#[test]
fn who_is_heard_of_all_the_time_holds_up_nobody() {
    let mut events = vec![syn(0, ISN, node(9)), syn(100 * MS, 77, node(8))];
    events.extend((1..400).map(|count| syn(count * 400 * MS, ISN, node(9))));
    let outcomes = feed(&mut Joins::new(1), &events);
    assert_eq!((outcomes.only().isn, outcomes.only().outcome), (77, Outcome::TimedOut));
}
