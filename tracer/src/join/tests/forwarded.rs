//! Attempts whose TCP is not this kernel's: no socket reports them.

use super::*;
use crate::model::Outcome;

#[test]
fn a_success_is_told_by_its_answer_and_ends_when_no_syn_follows() {
    let mut join = Joins::new(1);
    let before = feed(&mut join, &[syn(0, ISN, node(9)), syn_ack(MS, ISN, node(9)), tick(3 * S)]);
    assert!(before.ended.is_empty());
    let outcomes = feed(&mut join, &[tick(5 * S)]);
    assert_eq!(outcomes.only().outcome, Outcome::Established);
    assert_eq!(outcomes.only().original, None);
}

#[test]
fn an_rst_refuses() {
    let attempt = only(&[syn(0, ISN, node(9)), rst(MS, ISN, node(9)), tick(10 * S)]);
    assert_eq!(attempt.outcome, Outcome::Refused);
}

#[test]
fn an_icmp_error_ends_an_attempt_whose_syn_is_not_sent_again() {
    let mut join = Joins::new(1);
    let events = [syn(0, ISN, node(9)), unreachable(MS, ISN, node(9)), tick(3 * S)];
    assert!(feed(&mut join, &events).ended.is_empty());
    assert_eq!(feed(&mut join, &[tick(5 * S)]).only().outcome, Outcome::Closed);
    // Such a client goes on trying.
    let again = [syn(S, ISN, node(9)), unreachable(S + MS, ISN, node(9)), tick(10 * S)];
    let outcomes = feed(&mut join, &[&events[..2], &again].concat());
    assert!(outcomes.ended.is_empty());
    assert_eq!(feed(&mut join, &[tick(153 * S)]).only().outcome, Outcome::TimedOut);
}

#[test]
fn repeats_on_the_wire_are_the_retransmits_and_silence_is_a_timeout() {
    let mut events = vec![syn(0, ISN, node(9))];
    events.extend([S, 3 * S, 7 * S, 15 * S, 31 * S, 63 * S].map(|at| syn(at, ISN, node(9))));
    events.push(tick(63 * S + 151 * S));
    let outcomes = join(&events);
    assert_eq!(outcomes.retransmitted().iter().map(|retransmit| retransmit.1).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
    assert_eq!((outcomes.only().retransmits, outcomes.only().outcome), (6, Outcome::TimedOut));
}

#[test]
fn with_kprobes_a_binding_tells_the_original_and_a_repeat_is_counted_once() {
    let outcomes = join(&[
        select(0, pod(1)),
        bind(1_000, ISN, pod(1), node(9)),
        syn(2_000, ISN, node(9)),
        syn(S, ISN, node(9)),
        syn(3 * S, ISN, node(9)),
    ]);
    assert_eq!(outcomes.retransmitted(), [(S, 1), (3 * S, 2)]);
    assert_eq!((outcomes.only().original, outcomes.only().selections), (Some(pod(1)), 1));
}

#[test]
fn a_syn_that_is_dropped_at_confirm_and_sent_again_is_a_retransmit() {
    for wire in [vec![], vec![syn(S + 2_000, ISN, node(8))]] {
        let mut events = vec![bind(0, ISN, pod(1), node(9)), bind(S, ISN, pod(1), node(8))];
        events.extend(wire);
        let outcomes = join(&events);
        assert_eq!(outcomes.retransmitted(), [(S, 1)]);
        assert_eq!((outcomes.only().selections, outcomes.only().retransmits), (2, 1));
        assert_eq!(outcomes.ports(), [Some(8)]);
    }
}

#[test]
fn a_syn_seen_arriving_first_tells_the_original() {
    let attempt = only(&[syn_arrives(0, ISN, pod(1)), syn(5_000, ISN, node(9))]);
    assert_eq!(attempt.original, Some(pod(1)));
    assert_eq!(attempt.is_translated(), Some(true));
}

#[test]
fn a_syn_that_left_and_arrives_elsewhere_is_not_the_original() {
    let attempt = only(&[syn(0, ISN, node(9)), syn_arrives(5_000, ISN, node(9))]);
    assert_eq!(attempt.original, None);
    assert_eq!(attempt.is_translated(), None);
}

#[test]
fn a_syn_seen_between_two_nats_gives_way_to_the_socket() {
    let between = flow("172.18.0.2", 3_000, "192.0.2.7", 443);
    let events =
        [syn_arrives(0, ISN, between), syn(5_000, ISN, node(9)), syn(S, ISN, node(9)), retransmit(S, ISN, pod(1), 1)];
    assert_eq!(only(&events).original, Some(pod(1)));
}

#[test]
fn a_syn_after_the_answer_makes_the_outcome_open_again() {
    let mut join = Joins::new(1);
    let events = [syn(0, ISN, node(9)), syn_ack(MS, ISN, node(9)), syn(S, ISN, node(9)), tick(10 * S)];
    let outcomes = feed(&mut join, &events);
    assert_eq!(outcomes.retransmitted(), [(S, 1)]);
    assert_eq!(outcomes.retransmits[0].attempt.outcome, Outcome::Pending);
    assert!(outcomes.ended.is_empty());
    assert_eq!(feed(&mut join, &[tick(152 * S)]).only().outcome, Outcome::TimedOut);
}

#[test]
fn the_newest_answer_counts_whatever_comes_first() {
    let attempt = only(&[syn(0, ISN, node(9)), syn_ack(2 * MS, ISN, node(9)), rst(MS, ISN, node(9))]);
    assert_eq!(attempt.outcome, Outcome::Established);
    assert!(attempt.syn_ack_seen && attempt.rst_seen);
}

#[test]
fn a_binding_older_than_the_newest_observation_does_not_change_the_port() {
    let attempt = only(&[syn(MS, ISN, node(8)), bind(0, ISN, pod(1), node(9))]);
    assert_eq!(attempt.translated, Some(node(8)));
}
