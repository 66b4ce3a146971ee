//! The order in which the facts of one moment arrive does not matter, and facts that are missing are not invented.

use super::*;

fn orders(events: &[Event]) -> Vec<Vec<Event>> {
    let Some((last, rest)) = events.split_last() else { return vec![vec![]] };
    let with_last = |order: Vec<Event>| (0..=order.len()).map(move |place| (order.clone(), place));
    let insert = |(mut order, place): (Vec<Event>, usize)| {
        order.insert(place, *last);
        order
    };
    orders(rest).into_iter().flat_map(with_last).map(insert).collect()
}

/// Whatever the order of the events of this moment is.
fn check_orders(before: &[Event], moment: &[Event], after: &[Event]) {
    let expected = facts(&join(&[before, moment, after].concat()));
    for order in orders(moment) {
        assert_eq!(facts(&join(&[before, &order, after].concat())), expected, "{order:#?}");
    }
}

/// Everything but what the order may decide.
fn facts(outcomes: &Outcomes) -> String {
    format!("{:?} {:?} {:?}", outcomes.only(), outcomes.retransmitted(), outcomes.ports())
}

#[test]
fn a_success_with_kprobes_is_the_same_in_every_order() {
    for (original, translated) in [(pod(40_000), node(50_000)), (service(40_000), node(50_000))] {
        let events = [
            select(0, original),
            bind(1_000, ISN, original, translated),
            syn(2_000, ISN, translated),
            syn_arrives(500, ISN, original),
            syn_ack(MS, ISN, translated),
            established(MS + 1_000, ISN, original),
        ];
        check_orders(&[], &events, &[]);
    }
}

#[test]
fn a_success_without_kprobes_is_the_same_in_every_order() {
    for original in [pod(40_000), service(40_000), node(50_000)] {
        let translated = node(50_000);
        let events = [syn(0, ISN, translated), syn_ack(MS, ISN, translated), established(MS + 1_000, ISN, original)];
        check_orders(&[], &events, &[]);
    }
}

#[test]
fn a_forwarded_attempt_is_the_same_in_every_order() {
    let (original, translated) = (pod(40_000), node(50_000));
    for answer in [syn_ack(MS, ISN, translated), rst(MS, ISN, translated)] {
        let events = [
            syn_arrives(0, ISN, original),
            select(500, original),
            bind(1_000, ISN, original, translated),
            syn(2_000, ISN, translated),
            answer,
        ];
        check_orders(&[], &events, &[]);
    }
}

#[test]
fn every_moment_of_a_failure_may_come_in_any_order() {
    for (original, last) in [(pod(40_000), ETIMEDOUT), (service(40_000), 0)] {
        let moments = failure(original, last);
        for turned in 0..moments.len() {
            check_orders(&moments[..turned].concat(), &moments[turned], &moments[turned + 1..].concat());
        }
    }
}

#[test]
fn an_insert_race_may_come_in_any_order() {
    let original = pod(40_000);
    let second = [
        select(S, original),
        bind(S + 1_000, ISN, original, node(8)),
        syn(S + 2_000, ISN, node(8)),
        retransmit(S + 3_000, ISN, original, 1),
        syn_ack(S + MS, ISN, node(8)),
        established(S + MS, ISN, original),
    ];
    check_orders(&[bind(0, ISN, original, node(9))], &second, &[]);
}

fn failure(original: Flow, last: u32) -> Vec<Vec<Event>> {
    let translated = node(1_500);
    let again = |at, ordinal| vec![syn(at, ISN, translated), retransmit(at + 3_000, ISN, original, ordinal)];
    let first = vec![select(0, original), bind(1_000, ISN, original, translated), syn(2_000, ISN, translated)];
    vec![first, again(S, 1), again(3 * S, 2), vec![closed(7 * S, ISN, original, last)]]
}

#[test]
fn whatever_is_missing_nothing_is_invented() {
    let events = failure(service(40_000), ETIMEDOUT).concat();
    let complete = join(&events);
    let complete = complete.only();
    for left in 0..1_u32 << events.len() {
        let some: Vec<_> =
            (0..).zip(&events).filter(|(bit, _)| left >> bit & 1 == 1).map(|(_, event)| *event).collect();
        let outcomes = join(&some);
        assert!(outcomes.ended.len() <= 1, "{some:#?}");
        assert!(outcomes.retransmits.iter().filter(|retransmit| !retransmit.is_repeated).count() <= 2);
        for attempt in &outcomes.ended {
            assert_eq!(attempt.isn, ISN);
            assert!(attempt.original.is_none_or(|original| Some(original) == complete.original));
            assert!(attempt.translated.is_none_or(|translated| Some(translated) == complete.translated));
            assert!(attempt.retransmits <= 2 && attempt.selections <= 1 && attempt.syns_leaving <= 3);
            assert!(attempt.outcome == complete.outcome || attempt.outcome == crate::model::Outcome::Pending);
        }
    }
}
