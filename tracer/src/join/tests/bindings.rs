//! Source ports that are used again while the old conntrack entry lives.

use tracer_common::events::STATUS_CONFIRMED;

use super::*;
use crate::model::{NatMode, NatRange, Outcome};

const AGAIN: u32 = 77;

fn first_attempt() -> Vec<Event> {
    vec![select(0, pod(1)), bind(1_000, ISN, pod(1), node(9)), closed(MS, ISN, pod(1), ECONNREFUSED)]
}

fn then(events: &[Event]) -> Outcomes {
    join(&[first_attempt(), events.to_vec()].concat())
}

#[test]
fn a_reused_port_leaves_with_the_remembered_binding() {
    let outcomes = then(&[retransmit(5 * S, AGAIN, pod(1), 1), closed(6 * S, AGAIN, pod(1), 0)]);
    assert_eq!(outcomes.ports(), [Some(9)]);
    let attempt = &outcomes.ended[1];
    assert_eq!((attempt.translated, attempt.nat_netns), (Some(node(9)), Some(NODE_NETNS)));
    assert_eq!((attempt.selections, NatMode::from(attempt.range)), (0, NatMode::FullyRandom));
}

#[test]
fn a_reused_port_that_works_has_the_remembered_binding_too() {
    let outcomes = then(&[established(5 * S, AGAIN, pod(1))]);
    assert_eq!(outcomes.ended[1].translated, Some(node(9)));
}

#[test]
fn a_new_binding_for_a_reused_port_wins() {
    let events = [select(5 * S, pod(1)), bind(5 * S, AGAIN, pod(1), node(8)), retransmit(6 * S, AGAIN, pod(1), 1)];
    assert_eq!(then(&events).ports(), [Some(8)]);
}

#[test]
fn the_wire_wins_over_a_remembered_binding() {
    let events = [syn(5 * S, AGAIN, node(8)), retransmit(6 * S, AGAIN, pod(1), 1)];
    assert_eq!(then(&events).ports(), [Some(8)]);
    let late = [
        retransmit(6 * S, AGAIN, pod(1), 1),
        tick(6 * S + 30 * MS),
        syn(7 * S, AGAIN, node(8)),
        retransmit(7 * S, AGAIN, pod(1), 2),
    ];
    let outcomes = then(&late);
    assert_eq!(outcomes.ports(), [Some(9), Some(8)]);
    assert_eq!((outcomes.ended[1].range, outcomes.ended[1].selections), (None, 0));
}

#[test]
fn a_binding_made_later_says_nothing_about_an_earlier_attempt() {
    let outcomes = join(&[
        retransmit(0, ISN, pod(1), 1),
        bind(10 * MS + S, AGAIN, pod(1), node(9)),
        retransmit(2 * S, ISN, pod(1), 2),
    ]);
    assert_eq!(outcomes.ports(), [None, None]);
}

#[test]
fn two_zones_that_remember_different_ports_leave_it_unknown() {
    let both = |port| {
        let zones = [
            bind_in(0, NODE_NETNS, 1, 100, pod(1), node(9)),
            bind_in(0, NODE_NETNS, 2, 200, pod(1), node(port)),
            retransmit(5 * S, AGAIN, pod(1), 1),
        ];
        join(&zones).ports()
    };
    assert_eq!(both(8), [None]);
    assert_eq!(both(9), [Some(9)]);
}

#[test]
fn a_binding_is_forgotten_after_five_minutes_unless_it_is_used() {
    assert_eq!(then(&[retransmit(301 * S, AGAIN, pod(1), 1)]).ports(), [None]);
    let events =
        [retransmit(200 * S, 5, pod(1), 1), closed(202 * S, 5, pod(1), 0), retransmit(400 * S, AGAIN, pod(1), 1)];
    assert_eq!(then(&events).ports(), [Some(9), Some(9)]);
}

#[test]
fn a_remembered_binding_is_not_trusted_once_facts_were_lost() {
    assert_eq!(then(&[lost(2 * S), retransmit(5 * S, AGAIN, pod(1), 1)]).ports(), [None]);
    assert_eq!(then(&[retransmit(5 * S, AGAIN, pod(1), 1), lost(5 * S + MS)]).ports(), [None]);
}

#[test]
fn a_binding_through_two_nats_is_followed_to_the_end() {
    let inner = flow("172.18.0.2", 3_000, "192.0.2.7", 443);
    let outcomes = join(&[
        bind_in(0, POD_NETNS, 0, ISN, pod(1), inner),
        bind(1_000, ISN, inner, node(9)),
        closed(MS, ISN, pod(1), ECONNREFUSED),
        retransmit(5 * S, AGAIN, pod(1), 1),
    ]);
    assert_eq!(outcomes.ports(), [Some(9)]);
}

#[test]
fn a_remembered_binding_is_for_the_same_original_tuple_only() {
    let outcomes = then(&[retransmit(5 * S, AGAIN, pod(2), 1), established(5 * S, 78, service(1))]);
    assert_eq!(outcomes.ports(), [None]);
    assert_eq!(outcomes.ended[0].outcome, Outcome::Refused);
    assert_eq!(outcomes.ended.iter().filter(|attempt| attempt.translated.is_none()).count(), 2);
}

#[test]
fn the_wire_wins_over_a_remembered_backend_too() {
    let other = flow("198.51.100.1", 8, "192.0.2.8", 443);
    let outcomes = join(&[
        bind(0, ISN, service(1), node(9)),
        closed(MS, ISN, service(1), ECONNREFUSED),
        retransmit(5 * S, AGAIN, service(1), 1),
        tick(5 * S + 30 * MS),
        syn(6 * S, AGAIN, other),
    ]);
    assert_eq!(outcomes.ended.len(), 2);
    assert_eq!(outcomes.ended[1].translated, Some(other));
}

#[test]
fn a_selection_is_for_one_binding() {
    let outcomes = join(&[select(0, pod(1)), bind(1_000, 1, pod(1), node(9)), bind(2_000, 2, pod(1), node(8))]);
    assert_eq!(outcomes.ended.iter().map(|attempt| attempt.range.is_some()).collect::<Vec<_>>(), [true, false]);
}

#[test]
fn a_binding_brings_its_range_along_and_leaves_selections_to_others() {
    let range = NatRange { flags: RANGE_PROTO_SPECIFIED | RANGE_PROTO_RANDOM_FULLY, min_port: 1024, max_port: 2047 };
    let own = select(2_500, pod(1));
    let events = [bind_with_range(1_000, 1, pod(1), node(9)), own, bind(3_000, 2, pod(1), node(8))];
    let outcomes = join(&events);
    assert_eq!(outcomes.ended[0].range, Some(range));
    assert_eq!(NatMode::from(outcomes.ended[1].range), NatMode::FullyRandom);
}

#[test]
fn a_selection_told_a_minute_later_still_tells_the_range_and_not_the_time() {
    let events = [
        bind(1_000, ISN, pod(1), node(9)),
        retransmit(S, ISN, pod(1), 1),
        bind(61 * S, AGAIN, pod(2), node(8)),
        closed(61 * S, AGAIN, pod(2), 0),
        select(0, pod(1)),
    ];
    let mut join = Joins::new(1);
    let outcomes = feed(&mut join, &events);
    assert!(outcomes.ended.is_empty(), "time fell back: {:#?}", outcomes.ended);
    let rest = finish(&mut join);
    let first = rest.ended.iter().find(|attempt| attempt.isn == ISN);
    assert_eq!(first.map(|attempt| NatMode::from(attempt.range)), Some(NatMode::FullyRandom));
}

#[test]
fn the_entry_of_a_syn_that_leaves_by_another_interface_is_no_second_choice() {
    let read = |at| {
        let Event::NatBind(event) = bind(at, ISN, pod(1), node(2)) else { panic!("a binding is one") };
        Event::from(NatBind { status: event.status | STATUS_CONFIRMED, ..event })
    };
    let outcomes = join(&[read(0), syn(1, ISN, node(2)), read(S), syn_by(S + 1, ISN, node(2), 5, 0)]);
    assert_eq!((outcomes.only().selections, outcomes.retransmitted()), (1, vec![(S, 1)]));
    let passes_two = [read(0), syn(1, ISN, node(2)), read(2), syn_by(3, ISN, node(2), 5, 0)];
    assert_eq!((only(&passes_two).retransmits, only(&passes_two).selections), (0, 1));
    let chosen_again = join(&[bind(0, ISN, pod(1), node(2)), bind(S, ISN, pod(1), node(2))]);
    assert_eq!(chosen_again.only().selections, 2);
}
