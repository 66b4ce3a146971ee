//! Segments that arrive on the translated tuple and do not answer the SYN.

use tracer_common::events::WIRE_OTHER_HOST;

use super::*;
use crate::model::{Outcome, Strays};

const ACK: u16 = 0x10;
const SYN_ACK: u16 = 0x12;
const RST: u16 = 0x04;

#[test]
fn strays_are_counted_by_kind_and_are_no_answer() {
    let outcomes = join(&[
        bind(0, ISN, pod(1), node(2)),
        syn(1, ISN, node(2)),
        retransmit(S, ISN, pod(1), 1),
        stray(S + MS, ISN, node(2), ACK),
        stray(S + 2 * MS, ISN, node(2), RST),
        seen(S + 2 * MS, 77, node(2), UPLINK, WIRE_RST, WIRE_EGRESS),
        retransmit(3 * S, ISN, pod(1), 2),
        stray(3 * S + MS, ISN, node(2), ACK),
        stray(3 * S + MS, ISN, node(2), SYN_ACK),
        // Of another port
        stray(3 * S + MS, ISN, node(3), ACK),
    ]);
    let attempt = outcomes.only();
    assert_eq!(attempt.strays, Strays { acks: 2, syn_acks: 1, rsts: 1, syns: 0, resets_sent: 1, ..Strays::default() });
    assert_eq!((attempt.outcome, attempt.syn_ack_seen, attempt.rst_seen), (Outcome::Pending, false, false));
    let retransmitted: Vec<_> =
        outcomes.retransmits.iter().map(|retransmit| retransmit.attempt.strays.arrived()).collect();
    assert_eq!(retransmitted, [2, 4]);
}

#[test]
fn strays_of_one_attempt_are_not_those_of_the_next_with_its_number() {
    let mut join = Joins::new(1);
    let first = [syn(0, ISN, node(2)), syn(S, ISN, node(2)), stray(S + MS, ISN, node(2), ACK), tick(152 * S)];
    assert_eq!(feed(&mut join, &first).only().strays.acks, 1);
    let second = [syn(153 * S, ISN, node(2)), syn(154 * S, ISN, node(2)), tick(310 * S)];
    assert_eq!(feed(&mut join, &second).only().strays, Strays::default());
}

#[test]
fn an_rst_that_resets_no_answer_shows_that_a_stray_segment_came_before_anybody_waited_for_it() {
    let reset = |at, port| seen(at, 77, node(port), UPLINK, WIRE_RST, WIRE_EGRESS);
    let events = [
        // Of the connection before
        reset(0, 2),
        syn(MS, ISN, node(2)),
        reset(2 * MS, 2),
        reset(3 * MS, 3),
        syn(S, ISN, node(2)),
        syn_ack(S + MS, ISN, node(2)),
    ];
    let attempt = only(&events);
    assert_eq!(attempt.strays, Strays { resets_sent: 1, ..Strays::default() });
    assert_eq!(attempt.outcome, Outcome::Established);
}

#[test]
fn an_rst_counts_though_nat_has_chosen_another_port_since() {
    let events = [
        syn(0, ISN, node(2)),
        seen(MS, 77, node(2), UPLINK, WIRE_RST, WIRE_EGRESS),
        bind(S, ISN, pod(1), node(3)),
        syn(S, ISN, node(3)),
        syn_ack(S + MS, ISN, node(3)),
    ];
    let attempt = only(&events);
    assert_eq!(attempt.strays, Strays { resets_sent: 1, ..Strays::default() });
    assert!(attempt.egress.is_mixed && attempt.syns_leaving == 2);
}

#[test]
fn a_syn_of_the_other_side_is_a_stray_of_its_own_kind() {
    let attempt = only(&[syn(0, ISN, node(2)), syn(S, ISN, node(2)), stray(S + MS, ISN, node(2), 0x02)]);
    assert_eq!(attempt.strays, Strays { syns: 1, ..Strays::default() });
    assert!(attempt.is_answered() && !attempt.strays.is_of_older());
}

#[test]
fn a_client_that_sends_on_was_answered_where_nothing_is_watched() {
    let continues = |at, port| seen(at, ISN, node(port), UPLINK, WIRE_STRAY, WIRE_EGRESS);
    let sent = [syn(0, ISN, node(2)), syn(S, ISN, node(2))];
    let attempt = only(&[&sent[..], &[continues(S + MS, 3), continues(S + MS, 2)]].concat());
    assert_eq!((attempt.is_answered_unseen, attempt.syn_ack_seen), (true, false));
    assert_eq!(attempt.outcome, Outcome::Established);
    // Nothing new where the answer was seen.
    let attempt = only(&[&sent[..], &[syn_ack(S + MS, ISN, node(2)), continues(S + 2 * MS, 2)]].concat());
    assert!(!attempt.is_answered_unseen && attempt.syn_ack_seen);
    let attempt = only(&[&sent[..], &[continues(S + MS, 3)]].concat());
    assert_eq!((attempt.is_answered_unseen, attempt.outcome), (false, Outcome::Pending));
}

#[test]
fn an_answer_with_the_mac_address_of_another_host_is_noted() {
    let answer = arrives(MS, ISN, node(2), WIRE_SYN_ACK, WIRE_OTHER_HOST);
    let attempt = only(&[bind(0, ISN, pod(1), node(2)), answer, retransmit(S, ISN, pod(1), 1)]);
    assert_eq!((attempt.strays.for_other_mac, attempt.strays.any(), attempt.syn_ack_undelivered), (1, false, true));
}

#[test]
fn an_answer_that_leaves_again_is_noted_with_either_tuple() {
    let leaves = |flow: Flow| seen(MS, ISN, flow.reversed(), UPLINK, WIRE_SYN_ACK, WIRE_EGRESS);
    for (flow, count) in [(pod(1), 1), (node(2), 1), (pod(9), 0)] {
        let events =
            [bind(0, ISN, pod(1), node(2)), syn_ack(MS, ISN, node(2)), leaves(flow), retransmit(S, ISN, pod(1), 1)];
        let attempt = only(&events);
        assert_eq!(attempt.strays, Strays { left_again: count, ..Strays::default() }, "{flow:?}");
        assert!(attempt.syn_ack_undelivered);
    }
}

#[test]
fn attempts_answered_so_are_counted_by_destination() {
    let mut join = Joins::new(4);
    let mut counts = Vec::new();
    for index in 0..4_u16 {
        let (isn, at, from) = (ISN + u32::from(index), u64::from(index) * 200 * S, node(2 + index / 2));
        let answer = if index == 3 { syn_ack(at + S, isn, from) } else { stray(at + S, isn, from, ACK) };
        let events =
            [syn(at, isn, from), syn(at + S, isn, from), answer, syn(at + 2 * S, isn, from), tick(at + 190 * S)];
        let challenges = feed(&mut join, &events).only().egress.challenges;
        counts.push((challenges.ports, challenges.attempts, challenges.others));
    }
    assert_eq!(counts, [(1, 0, 0), (1, 1, 0), (2, 2, 0), (2, 3, 0)]);
}
