//! What this node dropped, and what else speaks for a cause.

use tracer_common::events::{NO_ENTRY, STATUS_CONFIRMED, STATUS_SRC_NAT_DONE};

use super::*;
use crate::model::{Dropped, TableFill};

#[test]
fn drops_for_different_reasons_are_not_alike() {
    let drop =
        |at, reason| changed(dropped(at, ISN, pod(1), 0), |drop| (drop.reason, drop.ctinfo) = (reason, NO_ENTRY));
    let of = |reasons: [u32; 3]| {
        let drops = [drop(0, reasons[0]), drop(S, reasons[1]), drop(3 * S, reasons[2])];
        let events = [drops[0], retransmit(S, ISN, pod(1), 1), drops[1], retransmit(3 * S, ISN, pod(1), 2), drops[2]];
        only(&events).syn_dropped
    };
    assert_eq!(of([6, 6, 6]), Dropped { count: 3, reason: 6, ctinfo: NO_ENTRY, are_mixed: false });
    assert_eq!(of([6, 5, 5]), Dropped { count: 3, reason: 5, ctinfo: NO_ENTRY, are_mixed: true });
}

#[test]
fn a_syn_dropped_before_anything_else_belongs_to_the_attempt_that_comes() {
    let outcomes = join(&[
        dropped(0, ISN, pod(1), 0),
        retransmit(S, ISN, pod(1), 1),
        dropped(S, ISN, pod(1), 0),
        dropped(S, ISN + 1, pod(2), 0),
        retransmit(3 * S, ISN, pod(1), 2),
    ]);
    let attempt = outcomes.only();
    assert_eq!(attempt.syn_dropped, Dropped { count: 2, reason: 6, ctinfo: 2, are_mixed: false });
    assert_eq!((attempt.unconfirmed, attempt.retransmits), (0, 2));
    assert_eq!(outcomes.retransmits[0].attempt.syn_dropped.count, 2);
}

#[test]
fn a_drop_opens_no_attempt_and_is_forgotten() {
    assert!(join(&[dropped(0, ISN, pod(1), 0), tick(10 * S)]).ended.is_empty());
    let late = join(&[dropped(0, ISN, pod(1), 0), retransmit(9 * S, ISN, pod(1), 3)]);
    assert_eq!(late.only().syn_dropped.count, 0);
}

#[test]
fn syns_that_wait_for_a_neighbour_are_dropped_together_and_the_next_after_a_while() {
    // Sent after 0, 1, 3 and 7 s by a client without a socket here; its neighbour is looked for during 3 s.
    let attempt =
        only(&[3000, 3000, 3000, 10_000].map(|ms| dropped(ms * MS, ISN, pod(1), 0)).into_iter().collect::<Vec<_>>());
    assert_eq!((attempt.syn_dropped.count, attempt.retransmits > 0), (4, true));
}

#[test]
fn an_answer_from_another_address_than_the_destinations_is_told() {
    let from = |address: &str| flow("198.51.100.1", 2, address, 443);
    let elsewhere = |flow| {
        let events = [bind(0, ISN, pod(1), node(2)), syn(1, ISN, node(2)), answer_dropped(MS, ISN, flow)];
        only(&events).is_answer_from_elsewhere
    };
    assert!(elsewhere(from("203.0.113.90")));
    assert!(!elsewhere(node(2)) && !elsewhere(pod(1)));
}

#[test]
fn a_drop_is_counted_once_although_the_translated_tuple_changes() {
    let attempt = only(&[
        dropped(0, ISN, pod(1), STATUS_SRC_NAT_DONE),
        bind(1, ISN, pod(1), node(2)),
        bind(S, ISN, pod(1), node(3)),
        syn(S + 1, ISN, node(4)),
    ]);
    assert_eq!((attempt.syn_dropped.count, attempt.unconfirmed), (1, 1));
}

#[test]
fn a_confirmed_syn_that_is_dropped_was_no_clash() {
    let attempt = only(&[
        bind(0, ISN, pod(1), node(2)),
        dropped(1, ISN, node(2), STATUS_SRC_NAT_DONE | STATUS_CONFIRMED),
        dropped(S, ISN, node(2), STATUS_SRC_NAT_DONE),
    ]);
    assert_eq!((attempt.syn_dropped.count, attempt.unconfirmed), (2, 1));
}

#[test]
fn an_answer_dropped_is_told_with_the_reason_of_its_subsystem() {
    let attempt = only(&[syn(0, ISN, node(2)), syn_ack(MS, ISN, node(2)), answer_dropped(MS, ISN, node(2))]);
    assert_eq!(attempt.answer_dropped, Dropped { count: 1, reason: 0x0003_0007, ctinfo: 3, are_mixed: false });
}

#[test]
fn an_answer_that_comes_after_the_client_gave_up_is_not_missed() {
    let attempt =
        only(&[bind(0, ISN, pod(1), node(2)), closed(MS, ISN, pod(1), 0), answer_dropped(2 * MS, ISN, node(2))]);
    assert_eq!(attempt.answer_dropped.count, 0);
}

#[test]
fn a_full_table_counts_for_a_syn_without_entry_at_that_time() {
    let without = |at| changed(dropped(at, ISN, pod(1), 0), |drop| drop.ctinfo = NO_ENTRY);
    let full = Some(TableFill { count: 1000, max: 1000 });
    let reported = |events: &[Event]| only(events).table;
    assert_eq!(reported(&[table(0, 1000), without(S), retransmit(2 * S, ISN, pod(1), 1)]), full);
    assert_eq!(reported(&[table(0, 800), without(S), retransmit(2 * S, ISN, pod(1), 1)]), None);
    assert_eq!(reported(&[table(0, 1000), dropped(S, ISN, pod(1), 0), retransmit(2 * S, ISN, pod(1), 1)]), None);
    let later = [table(0, 1000), tick(10 * S), without(19 * S), retransmit(20 * S, ISN, pod(1), 1)];
    assert_eq!(reported(&later), None);
}

#[test]
fn an_icmp_error_that_quotes_the_syn_is_told_with_type_and_code() {
    let error = unreachable(MS, ISN, node(2));
    assert_eq!(only(&[syn(0, ISN, node(2)), error]).icmp, Some((3, 1)));
    assert_eq!(only(&[syn(0, ISN, node(3)), error]).icmp, None);
}

#[test]
fn a_syn_sent_again_well_after_its_answer_shows_that_the_client_did_not_get_it() {
    let events = |again| [bind(0, ISN, pod(1), node(2)), syn_ack(MS, ISN, node(2)), retransmit(again, ISN, pod(1), 1)];
    assert!(only(&events(S)).syn_ack_undelivered);
    assert!(!only(&events(2 * MS)).syn_ack_undelivered);
}

#[test]
fn an_rst_that_leaves_for_the_answer_counts_only_while_the_client_waits() {
    let reset = |at| seen(at, ISN, node(2), UPLINK, WIRE_RST, WIRE_EGRESS);
    let waiting = [bind(0, ISN, pod(1), node(2)), retransmit(S, ISN, pod(1), 1), syn_ack(S, ISN, node(2)), reset(S)];
    assert!(only(&waiting).is_reset_here);
    let gone = [bind(0, ISN, pod(1), node(2)), closed(S, ISN, pod(1), 0), syn_ack(S + MS, ISN, node(2)), reset(S + MS)];
    assert!(!only(&gone).is_reset_here);
}

#[test]
fn an_rst_of_another_tuple_shows_that_its_owner_got_the_answer() {
    let thief = flow("10.77.9.5", 80, "192.0.2.7", 443);
    let elsewhere = flow("10.77.9.5", 80, "192.0.2.8", 443);
    for (from, is_reset, is_diverted) in
        [(thief, true, true), (node(2), true, false), (pod(1), false, false), (elsewhere, false, false)]
    {
        let reset = seen(S, ISN, from, UPLINK, WIRE_RST, WIRE_EGRESS);
        let events = [bind(0, ISN, pod(1), node(2)), retransmit(S, ISN, pod(1), 1), syn_ack(S, ISN, node(2)), reset];
        let attempt = only(&events);
        assert_eq!((attempt.is_reset_here, attempt.is_answer_diverted), (is_reset, is_diverted), "{from:?}");
    }
}

#[test]
fn an_answer_without_entry_for_a_port_of_the_attempt_was_not_diverted() {
    let answer = |flow: Flow| changed(answer_dropped(3 * S, ISN, flow), |drop| drop.ctinfo = NO_ENTRY);
    let twice = [bind(0, ISN, pod(1), node(2)), bind(S, ISN, pod(1), node(3))];
    for (bindings, flow, without_entry, is_diverted) in [
        (&twice[..1], node(2), 1, false),
        (&twice[..1], node(3), 0, true),
        (&twice[..1], pod(1), 0, false),
        (&twice[..], node(2), 1, false),
        (&twice[..], node(3), 1, false),
    ] {
        let attempt = only(&[bindings, &[retransmit(2 * S, ISN, pod(1), 1), answer(flow)]].concat());
        assert_eq!(
            (attempt.strays.without_entry, attempt.is_answer_diverted),
            (without_entry, is_diverted),
            "{flow:?}"
        );
    }
}

#[test]
fn an_answer_dropped_on_its_way_to_somebody_else_was_diverted() {
    let events =
        |answer: Flow| [bind(0, ISN, pod(1), node(2)), retransmit(S, ISN, pod(1), 1), answer_dropped(S, ISN, answer)];
    let thief = flow("10.77.9.5", 80, "192.0.2.7", 443);
    for (answer, is_diverted) in [(thief, true), (node(2), false), (pod(1), false)] {
        let attempt = only(&events(answer));
        assert_eq!((attempt.answer_dropped.count, attempt.is_answer_diverted), (1, is_diverted), "{answer:?}");
    }
}

#[test]
fn a_syn_whose_destination_is_its_client_is_a_hairpin() {
    let hairpin = flow("198.51.100.1", 2, "10.42.0.9", 8080);
    let events = |dropped_as: Flow| {
        let drop = |at| dropped(at, ISN, dropped_as, STATUS_SRC_NAT_DONE | STATUS_CONFIRMED);
        [bind(0, ISN, service(1), hairpin), drop(1), retransmit(S, ISN, service(1), 1), drop(S)]
    };
    assert!(only(&events(hairpin)).is_hairpin);
    assert!(!only(&events(Flow { dst: node(2).dst, ..hairpin })).is_hairpin);
}
