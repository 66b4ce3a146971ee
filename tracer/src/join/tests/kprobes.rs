//! Kernels with kprobes: bindings have the translated port, the wire confirms it.

use super::*;
use crate::model::{NatMode, Outcome};

#[test]
fn a_success_has_binding_mode_and_outcome() {
    let (original, translated) = (pod(40_000), node(50_000));
    let outcomes = join(&[
        select(0, original),
        bind(1_000, ISN, original, translated),
        syn(2_000, ISN, translated),
        syn_ack(5 * MS, ISN, translated),
        established(5 * MS + 1_000, ISN, original),
    ]);
    let attempt = outcomes.only();
    assert_eq!((attempt.original, attempt.translated), (Some(original), Some(translated)));
    assert_eq!((attempt.socket_netns, attempt.nat_netns), (Some(POD_NETNS), Some(NODE_NETNS)));
    assert_eq!(NatMode::from(attempt.range), NatMode::FullyRandom);
    assert_eq!((attempt.isn, attempt.selections, attempt.retransmits, attempt.syns_leaving), (ISN, 1, 0, 1));
    assert!(attempt.syn_ack_seen && !attempt.rst_seen);
    assert_eq!(attempt.outcome, Outcome::Established);
    assert_eq!(attempt.is_translated(), Some(true));
    assert!(outcomes.retransmits.is_empty());
}

#[test]
fn a_syn_that_is_slow_from_its_binding_to_the_wire_was_sent_once() {
    let (original, translated) = (pod(40_000), node(50_000));
    let outcomes = join(&[
        bind(0, ISN, original, translated),
        syn(100 * MS, ISN, translated),
        syn_ack(101 * MS, ISN, translated),
        established(102 * MS, ISN, original),
    ]);
    assert_eq!((outcomes.only().retransmits, outcomes.only().syns_leaving), (0, 1));
    assert!(outcomes.retransmits.is_empty());
}

#[test]
fn a_failure_tells_each_retransmit_once_with_the_ordinal_of_the_socket() {
    let (original, translated) = (pod(40_000), node(1_500));
    let binding = [select(0, original), bind(1_000, ISN, original, translated)];
    for (binding, selections) in [(&binding[..], 1), (&[], 0)] {
        let mut events = [binding, &[syn(2_000, ISN, translated)]].concat();
        for (ordinal, at) in [(1, S), (2, 3 * S), (3, 7 * S)] {
            events.push(syn(at, ISN, translated));
            events.push(retransmit(at + 3_000, ISN, original, ordinal));
        }
        events.push(closed(15 * S, ISN, original, ETIMEDOUT));
        let outcomes = join(&events);
        assert_eq!(outcomes.retransmitted(), [(S + 3_000, 1), (3 * S + 3_000, 2), (7 * S + 3_000, 3)]);
        assert_eq!(outcomes.ports(), [Some(1_500); 3]);
        let mut attempts = outcomes.retransmits.iter().map(|retransmit| &retransmit.attempt);
        assert!(attempts.all(|attempt| (attempt.original, attempt.outcome) == (Some(original), Outcome::Pending)));
        let attempt = outcomes.only();
        assert_eq!((attempt.retransmits, attempt.syns_leaving, attempt.selections), (3, 4, selections));
        assert_eq!(attempt.outcome, Outcome::TimedOut);
    }
}

#[test]
fn a_refused_attempt_is_refused_and_an_abandoned_one_closed() {
    for (err, outcome) in [(ECONNREFUSED, Outcome::Refused), (0, Outcome::Closed), (113, Outcome::Closed)] {
        let events = [bind(0, ISN, pod(1), node(2)), closed(MS, ISN, pod(1), err)];
        assert_eq!(only(&events).outcome, outcome);
    }
}

#[test]
fn a_socket_that_closes_after_the_acknowledgement_is_the_same_attempt() {
    let events = [bind(0, ISN, pod(1), node(2)), closed(MS, ISN + 1, pod(1), ECONNREFUSED)];
    let attempt = only(&events);
    assert_eq!(attempt.isn, ISN);
    assert_eq!(attempt.outcome, Outcome::Refused);
}

#[test]
fn a_binding_that_is_dropped_at_confirm_is_followed_by_another_port() {
    let (original, first, second) = (pod(40_000), node(50_000), node(50_001));
    let outcomes = join(&[
        select(0, original),
        bind(1_000, ISN, original, first),
        select(S, original),
        bind(S + 1_000, ISN, original, second),
        syn(S + 2_000, ISN, second),
        retransmit(S + 3_000, ISN, original, 1),
        syn_ack(S + MS, ISN, second),
        established(S + MS, ISN, original),
    ]);
    assert_eq!(outcomes.retransmitted(), [(S + 3_000, 1)]);
    assert_eq!(outcomes.ports(), [Some(50_001)]);
    let attempt = outcomes.only();
    assert_eq!((attempt.selections, attempt.retransmits, attempt.syns_leaving), (2, 1, 1));
    assert_eq!(attempt.outcome, Outcome::Established);
}

#[test]
fn a_service_with_an_outside_backend_is_one_attempt_by_its_binding_or_its_isn_alone() {
    let (original, translated) = (service(40_000), node(1_500));
    let binding = [select(0, original), bind(1_000, ISN, original, translated)];
    let seen = [
        syn(2_000, ISN, translated),
        syn(S, ISN, translated),
        retransmit(S + 1_000, ISN, original, 1),
        closed(2 * S, ISN, original, ETIMEDOUT),
    ];
    for binding in [&binding[..], &[]] {
        let outcomes = join(&[binding, &seen].concat());
        let attempt = outcomes.only();
        assert_eq!((attempt.original, attempt.translated), (Some(original), Some(translated)));
        assert_eq!((outcomes.ports(), outcomes.retransmitted()), (vec![Some(1_500)], vec![(S + 1_000, 1)]));
    }
}

#[test]
fn a_service_that_chooses_another_backend_for_the_retransmit_is_one_attempt() {
    let second = flow("198.51.100.1", 50_001, "192.0.2.8", 443);
    let outcomes = join(&[
        bind(0, ISN, service(40_000), node(50_000)),
        bind(S, ISN, service(40_000), second),
        syn(S + 1_000, ISN, second),
        retransmit(S + 2_000, ISN, service(40_000), 1),
    ]);
    assert_eq!(outcomes.only().translated, Some(second));
    assert_eq!(outcomes.retransmitted(), [(S + 2_000, 1)]);
}

#[test]
fn a_syn_that_two_nats_translate_leaves_as_the_last_one_says() {
    let (inner, outer) = (flow("172.18.0.2", 3_000, "192.0.2.7", 443), node(1_500));
    let outcomes = join(&[
        bind_in(0, POD_NETNS, 0, ISN, pod(40_000), inner),
        bind(1_000, ISN, inner, outer),
        syn(2_000, ISN, outer),
        syn(S, ISN, outer),
        retransmit(S + 1_000, ISN, pod(40_000), 1),
    ]);
    let attempt = outcomes.only();
    assert_eq!((attempt.original, attempt.translated), (Some(pod(40_000)), Some(outer)));
    assert_eq!((attempt.nat_netns, attempt.selections), (Some(NODE_NETNS), 1));
    assert_eq!(outcomes.retransmitted(), [(S + 1_000, 1)]);
}

#[test]
fn a_second_nat_that_chooses_again_changes_the_same_attempt() {
    let inner = flow("172.18.0.2", 3_000, "192.0.2.7", 443);
    let outcomes = join(&[
        bind_in(0, POD_NETNS, 0, ISN, pod(40_000), inner),
        bind(1_000, ISN, inner, node(1_500)),
        retransmit(S, ISN, pod(40_000), 1),
        bind(S + 1_000, ISN, inner, node(50_000)),
        syn(S + 2_000, ISN, node(50_000)),
    ]);
    let attempt = outcomes.only();
    assert_eq!((attempt.original, attempt.translated), (Some(pod(40_000)), Some(node(50_000))));
    assert_eq!((attempt.selections, attempt.retransmits), (2, 1));
    assert_eq!(outcomes.ports(), [Some(50_000)]);
}

#[test]
fn sends_that_fail_on_the_node_are_counted_apart() {
    let outcomes = join(&[
        bind(0, ISN, pod(1), node(2)),
        send_failed(S, ISN, pod(1), 1, -1),
        send_failed(2 * S, ISN, pod(1), 1, -16),
        retransmit(3 * S, ISN, pod(1), 2),
        retransmit(5 * S, ISN, pod(1), 3),
    ]);
    assert_eq!(outcomes.retransmitted(), [(3 * S, 1), (5 * S, 2)]);
    let attempt = outcomes.only();
    assert_eq!((attempt.retransmits, attempt.send_errors, attempt.send_errno), (2, 2, -16));
}

#[test]
fn a_selection_without_a_binding_expires_silently() {
    let attempt = only(&[select(0, pod(1)), tick(5 * S), bind(6 * S, ISN, pod(1), node(2))]);
    assert_eq!(attempt.range, None);
}

#[test]
fn a_capture_that_starts_in_the_middle_believes_the_socket_about_earlier_retransmits() {
    let outcomes = join(&[retransmit(S, ISN, pod(1), 3), retransmit(3 * S, ISN, pod(1), 4)]);
    assert_eq!(outcomes.retransmitted(), [(S, 3), (3 * S, 4)]);
    assert_eq!(outcomes.only().retransmits, 4);
    assert_eq!(outcomes.only().translated, None);
}
