//! Nothing grows beyond its limit, and what is given up is counted.

use super::*;
use crate::join::{Limits, MAX_BATCH_LEN};
use crate::model::Outcome;

fn small() -> Joins {
    Joins::with_limits(1, Limits { attempts: 3, dropped: 2, bindings: 2, selections: 2 })
}

#[test]
fn the_attempt_that_was_heard_of_least_recently_makes_room() {
    let mut join = small();
    let events = [1, 2, 3, 1, 4].map(|isn| (isn, node(u16::try_from(isn).unwrap())));
    let events: Vec<_> = (0..).zip(events).map(|(at, (isn, flow))| syn(at * S, isn, flow)).collect();
    let outcomes = feed(&mut join, &events);
    assert_eq!(outcomes.only().isn, 2);
    assert_eq!(outcomes.only().outcome, Outcome::Pending);
    assert_eq!((join.open(), join.evicted()), (3, 1));
}

#[test]
fn an_attempt_that_only_lingers_makes_room_first() {
    let mut join = small();
    let events = [syn(0, 1, node(1)), established(1, 2, pod(2)), syn(2, 3, node(3)), syn(3, 4, node(4))];
    assert_eq!(feed(&mut join, &events).only().isn, 2);
}

#[test]
fn an_attempt_that_makes_room_tells_its_retransmit_first() {
    let mut join = small();
    let mut updates = Vec::new();
    let events = [retransmit(0, 1, pod(1), 1), syn(1, 2, node(2)), syn(2, 3, node(3)), syn(3, 4, node(4))];
    feed_each(&mut join, &events, |update| {
        updates.push(matches!(update, Update::Attempt { kind: UpdateKind::Ended, .. }));
    });
    assert_eq!(updates, [false, true]);
}

#[test]
fn young_bindings_and_selections_that_are_forgotten_count_as_evicted() {
    let mut join = Joins::with_limits(1, Limits { attempts: 100, dropped: 100, bindings: 2, selections: 2 });
    let binds: Vec<_> = (1..=3).map(|n| bind(0, u32::from(n), pod(n), node(n))).collect();
    feed(&mut join, &binds);
    assert_eq!(join.evicted(), 1);
    feed(&mut join, &[bind(20 * S, 9, pod(9), node(9))]);
    assert_eq!(join.evicted(), 1);
    feed(&mut join, &(1..=3).map(|n| select(20 * S, pod(n))).collect::<Vec<_>>());
    assert_eq!(join.evicted(), 2);
    feed(&mut join, &[select(30 * S, pod(7))]);
    assert_eq!(join.evicted(), 2);
}

#[test]
fn one_isn_for_everything_costs_no_more_than_others() {
    let mut join = Joins::new(1);
    let mut ended = 0;
    for n in 0..100_000_u32 {
        let [_, a, b, c] = n.to_be_bytes();
        let flow = flow(&format!("198.51.{a}.{b}"), 5, &format!("192.0.2.{c}"), 443);
        feed_each(&mut join, &[syn(u64::from(n), ISN, flow)], |_| ended += 1);
    }
    assert_eq!((join.open(), ended, join.evicted()), (64, 100_000 - 64, 100_000 - 64));
}

#[test]
fn what_one_event_ends_comes_in_batches_and_the_event_is_taken_once() {
    let mut join = Joins::new(1);
    let count = 3 * MAX_BATCH_LEN as u32 + 1;
    let syns: Vec<_> = (0..count).map(|isn| syn(0, isn, node(9))).collect();
    assert!(feed(&mut join, &syns).ended.is_empty());
    // The event that ends them reports a loss of its own.
    let (events, mut updates, mut batches) = ([(0, lost(200 * S))], Vec::new(), Vec::new());
    while join.take(&events, &mut updates) == 0 {
        batches.push(updates.len());
        updates.clear();
    }
    assert_eq!(batches, [MAX_BATCH_LEN; 3]);
    assert!(matches!(updates[..], [(0, Update::Attempt { .. }), (0, Update::Context(Event::Lost(_)))]), "{updates:?}");
    assert_eq!(join.open(), 0);
}

#[test]
fn what_the_end_of_the_capture_ends_comes_in_batches() {
    let mut join = Joins::new(2);
    let count = 2 * MAX_BATCH_LEN as u32 + 1;
    let syns: Vec<_> = (0..count).map(|isn| (1, syn(0, isn, node(9)))).collect();
    let mut updates = Vec::new();
    assert_eq!(join.take(&syns, &mut updates), syns.len());
    let mut ended = 0;
    loop {
        join.finish(&mut updates);
        if updates.is_empty() {
            break;
        }
        assert!(updates.len() <= MAX_BATCH_LEN + 1);
        ended += updates.iter().filter(|(node, update)| *node == 1 && matches!(update, Update::Attempt { .. })).count();
        updates.clear();
    }
    assert_eq!((ended, join.open()), (count as usize, 0));
}
