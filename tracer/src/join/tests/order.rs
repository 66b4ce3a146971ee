//! The order in which the facts of one moment arrive does not matter, and facts that are missing are not invented.

use super::*;

/// All orders of the indices below `n`.
fn permutations(n: usize) -> Vec<Vec<usize>> {
    let Some(last) = n.checked_sub(1) else { return vec![vec![]] };
    let insert = |shorter: Vec<usize>| (0..n).map(move |place| (shorter.clone(), place));
    let with = |(mut order, place): (Vec<usize>, usize)| {
        order.insert(place, last);
        order
    };
    permutations(last).into_iter().flat_map(insert).map(with).collect()
}

fn in_every_order(events: &[Event], check: impl Fn(&Outcomes)) {
    for order in permutations(events.len()) {
        let events: Vec<_> = order.iter().map(|&place| events[place]).collect();
        check(&join(&events));
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
        let expected = facts(&join(&events));
        in_every_order(&events, |outcomes| assert_eq!(facts(outcomes), expected));
    }
}

#[test]
fn a_success_without_kprobes_is_the_same_in_every_order() {
    for original in [pod(40_000), service(40_000), node(50_000)] {
        let translated = node(50_000);
        let events = [syn(0, ISN, translated), syn_ack(MS, ISN, translated), established(MS + 1_000, ISN, original)];
        let expected = facts(&join(&events));
        in_every_order(&events, |outcomes| assert_eq!(facts(outcomes), expected));
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
        let expected = facts(&join(&events));
        in_every_order(&events, |outcomes| assert_eq!(facts(outcomes), expected));
    }
}

#[test]
fn every_moment_of_a_failure_may_come_in_any_order() {
    for (original, last) in [(pod(40_000), ETIMEDOUT), (service(40_000), 0)] {
        let moments = failure(original, last);
        let expected = facts(&join(&moments.concat()));
        for turned in 0..moments.len() {
            for order in permutations(moments[turned].len()) {
                let mut moments = moments.clone();
                moments[turned] = order.iter().map(|&place| moments[turned][place]).collect();
                assert_eq!(facts(&join(&moments.concat())), expected, "{order:?} of moment {turned}");
            }
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
    let events = |second: &[Event]| [vec![bind(0, ISN, original, node(9))], second.to_vec()].concat();
    let expected = facts(&join(&events(&second)));
    for order in permutations(second.len()) {
        let second: Vec<_> = order.iter().map(|&place| second[place]).collect();
        assert_eq!(facts(&join(&events(&second))), expected, "{order:?}");
    }
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
