//! Kernels without kprobes: the translated port comes from the wire, joined by ISN.

use super::*;
use crate::model::Outcome;

#[test]
fn a_success_is_joined_by_its_isn() {
    let (original, translated) = (pod(40_000), node(1_500));
    let outcomes =
        join(&[syn(0, ISN, translated), syn_ack(MS, ISN, translated), established(MS + 1_000, ISN, original)]);
    let attempt = outcomes.only();
    assert_eq!((attempt.original, attempt.translated), (Some(original), Some(translated)));
    assert_eq!((attempt.outcome, attempt.is_translated()), (Outcome::Established, Some(true)));
    assert_eq!((attempt.nat_netns, attempt.range), (None, None));
    assert!(outcomes.retransmits.is_empty());
}

#[test]
fn a_wire_observation_that_is_delivered_after_the_tracepoint_is_the_same_retransmit() {
    let outcomes =
        join(&[syn(0, ISN, node(9)), retransmit(S, ISN, pod(1), 1), syn(S - 2_000, ISN, node(9)), tick(2 * S)]);
    assert_eq!(outcomes.retransmitted(), [(S, 1)]);
    assert_eq!(outcomes.only().retransmits, 1);
}

#[test]
fn a_retransmit_whose_tracepoint_comes_too_late_is_still_told_once() {
    let mut events = vec![syn(0, ISN, node(9)), syn(S, ISN, node(9)), tick(S + 30 * MS)];
    events.push(retransmit(S + 1_000, ISN, pod(1), 1));
    events.extend([syn(3 * S, ISN, node(9)), retransmit(3 * S + 1_000, ISN, pod(1), 2)]);
    let outcomes = join(&events);
    assert_eq!(outcomes.retransmitted(), [(S, 1), (3 * S + 1_000, 2)]);
    assert_eq!(outcomes.only().retransmits, 2);
}

#[test]
fn a_retransmit_that_only_the_wire_tells_is_told_although_the_socket_is_known_later() {
    let outcomes = join(&[syn(0, ISN, node(9)), syn(S, ISN, node(9)), established(S + 5 * MS, ISN, pod(1))]);
    assert_eq!(outcomes.retransmitted(), [(S, 1)]);
    assert_eq!(outcomes.only().retransmits, 1);
}

#[test]
fn a_socket_on_the_host_is_not_translated() {
    let own = node(40_000);
    let outcomes = join(&[syn(0, ISN, own), syn(S, ISN, own), retransmit(S + 1_000, ISN, own, 1)]);
    assert_eq!(outcomes.only().is_translated(), Some(false));
    assert_eq!(outcomes.retransmits[0].attempt.is_translated(), Some(false));
    assert_eq!(outcomes.only().selections, 0);
}

#[test]
fn another_port_for_the_retransmit_means_that_nat_chose_again() {
    let outcomes = join(&[syn(0, ISN, node(9)), syn(S, ISN, node(8)), retransmit(S + 1_000, ISN, pod(1), 1)]);
    let attempt = outcomes.only();
    assert_eq!((attempt.translated, attempt.selections), (Some(node(8)), 2));
    assert_eq!(outcomes.ports(), [Some(8)]);
}

#[test]
fn the_ports_of_earlier_syns_are_kept_until_they_are_answered() {
    let ports = |late_answer: Option<Event>| {
        let mut events =
            vec![syn(0, ISN, node(1_500)), bind(S, ISN, pod(1), node(1_600)), syn(S + 1, ISN, node(1_600))];
        events.extend(late_answer);
        events.extend([syn(3 * S, ISN, node(40_000)), syn_ack(3 * S + MS, ISN, node(40_000))]);
        let attempt = only(&events);
        assert!(attempt.is_answered() && attempt.translated == Some(node(40_000)));
        attempt.earlier_ports.iter().collect::<Vec<_>>()
    };
    assert_eq!(ports(None), [1_500, 1_600]);
    assert_eq!(ports(Some(syn_ack(2 * S, ISN, node(1_500)))), [1_600]);
}

#[test]
fn one_packet_on_two_interfaces_is_no_retransmit() {
    let on = |at, ifindex| syn_by(at, ISN, node(9), ifindex, 0);
    let outcomes = join(&[on(0, 5), on(2_000, 3), tick(S / 2), on(S, 5), on(S + 2_000, 3)]);
    assert_eq!(outcomes.retransmitted(), [(S, 1)]);
    let attempt = outcomes.only();
    assert_eq!((attempt.ifindex, attempt.syns_leaving, attempt.retransmits), (5, 2, 1));
}

#[test]
fn two_attempts_with_one_isn_to_two_destinations_stay_apart() {
    let (other_original, other) = (flow("10.42.0.9", 1, "192.0.2.8", 443), flow("198.51.100.1", 8, "192.0.2.8", 443));
    let outcomes = join(&[
        syn(0, ISN, node(9)),
        syn(1_000, ISN, other),
        syn(S, ISN, node(9)),
        retransmit(S + 1_000, ISN, pod(1), 1),
        syn(S + 2_000, ISN, other),
        retransmit(S + 3_000, ISN, other_original, 1),
    ]);
    assert_eq!(outcomes.ports(), [Some(9), Some(8)]);
    assert_eq!(outcomes.ended.len(), 2);
    assert_eq!(outcomes.ended[1].original, Some(other_original));
}

#[test]
fn an_answer_to_another_port_belongs_to_nobody() {
    let attempt = only(&[syn(0, ISN, node(9)), syn_ack(MS, ISN, node(8)), rst(MS, ISN, node(7))]);
    assert!(!attempt.syn_ack_seen && !attempt.rst_seen);
    assert_eq!(attempt.outcome, Outcome::Pending);
}

#[test]
fn answers_and_arriving_syns_alone_are_no_attempt() {
    let out = seen(0, ISN, pod(3), 7, WIRE_RST, WIRE_EGRESS);
    assert!(join(&[syn_ack(0, ISN, node(1)), rst(0, ISN, node(1)), syn_arrives(0, ISN, pod(1)), out]).ended.is_empty());
}

#[test]
fn an_answer_tells_the_translated_port_where_the_syn_was_missed() {
    let attempt = only(&[syn_ack(0, ISN, node(9)), established(1_000, ISN, pod(1))]);
    assert_eq!(attempt.translated, Some(node(9)));
    assert!(attempt.syn_ack_seen);
}

#[test]
fn an_answer_that_does_not_reach_the_socket_does_not_end_the_attempt() {
    let mut events = vec![syn(0, ISN, node(9)), syn_ack(MS, ISN, node(9))];
    for (ordinal, at) in [(1, S), (2, 3 * S), (3, 7 * S), (4, 15 * S)] {
        events.extend([syn(at, ISN, node(9)), retransmit(at + 1_000, ISN, pod(1), ordinal)]);
        events.push(syn_ack(at + MS, ISN, node(9)));
    }
    events.push(closed(31 * S, ISN, pod(1), ETIMEDOUT));
    let attempt = only(&events);
    assert_eq!((attempt.outcome, attempt.retransmits), (Outcome::TimedOut, 4));
    assert!(attempt.syn_ack_seen);
}

#[test]
fn of_two_nats_the_entry_of_the_second_alone_is_read_where_the_syn_leaves() {
    let (original, between, translated) = (pod(40_000), flow("172.18.0.2", 3_000, "203.0.113.5", 443), node(1_500));
    let original = Flow { dst: translated.dst, dst_port: translated.dst_port, ..original };
    let between = Flow { dst: translated.dst, dst_port: translated.dst_port, ..between };
    let attempt = only(&[
        bind(0, ISN, between, translated),
        syn(1_000, ISN, translated),
        syn(S, ISN, translated),
        retransmit(S + 3_000, ISN, original, 1),
        closed(3 * S, ISN, original, ETIMEDOUT),
    ]);
    assert_eq!((attempt.original, attempt.translated), (Some(original), Some(translated)));
    assert_eq!((attempt.retransmits, attempt.selections), (1, 1));
}
