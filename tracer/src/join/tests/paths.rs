//! A conntrack entry keeps an attempt in a way that later attempts no longer take.

use super::*;

/// Bound to another destination: DNAT.
fn backend(port: u16) -> Flow {
    flow("198.51.100.1", port, "10.42.9.5", 8080)
}

/// The SYN leaves undone by DNAT, twice.
fn stuck(at: u64, isn: u32, port: u16) -> [Event; 3] {
    let leaves = Flow { src: node(1).src, ..service(port) };
    [syn(at, isn, leaves), syn(at + S, isn, leaves), retransmit(at + S, isn, service(port), 1)]
}

fn works(at: u64, isn: u32, port: u16) -> [Event; 4] {
    [
        bind(at, isn, service(port), backend(port)),
        syn(at, isn, backend(port)),
        syn_ack(at + MS, isn, backend(port)),
        established(at + MS, isn, service(port)),
    ]
}

#[test]
fn later_attempts_that_get_dnat_are_told_to_one_that_does_not() {
    let mut events = stuck(0, ISN, 1).to_vec();
    events.extend(stuck(100 * MS, ISN + 1, 2));
    events.sort_by_key(|event| event.stamp().time_ns);
    for index in 0..3 {
        events.extend(works((2 + u64::from(index)) * S, 100 + index, 50 + index as u16));
    }
    events.push(tick(6 * S));
    let outcomes = join(&events);
    assert_eq!(outcomes.retransmits[0].attempt.later_path, None);
    let stuck: Vec<_> = outcomes.ended.iter().filter(|attempt| attempt.retransmits > 0).collect();
    assert_eq!(stuck.len(), 2);
    for attempt in stuck {
        let later = attempt.later_path.unwrap();
        assert_eq!((later.attempts, later.paths, later.is_answered), (3, 1, true));
        let translated = later.translated.unwrap();
        assert_eq!((translated.dst, translated.dst_port), (backend(1).dst, 8080));
    }
}

#[test]
fn an_attempt_that_begins_later_in_the_same_way_shows_that_the_way_still_holds() {
    let mut events = stuck(0, ISN, 1).to_vec();
    events.extend(works(2 * S, 100, 50));
    events.push(tick(4 * S));
    events.extend(stuck(5 * S, ISN + 1, 2));
    let outcomes = join(&events);
    assert_eq!(outcomes.of(ISN).later_path, None);
}

#[test]
fn an_attempt_from_the_same_port_follows_the_same_entry_and_shows_nothing() {
    let mut events = stuck(0, ISN, 1).to_vec();
    for (at, isn, port) in [(2, 100, 50), (7, 101, 51)] {
        events.extend(works(at * S, isn, port));
        if port == 50 {
            events.extend(stuck(5 * S, ISN + 1, 1));
        }
    }
    events.push(tick(9 * S));
    let outcomes = join(&events);
    let later = |isn| outcomes.of(isn).later_path.unwrap();
    // Both follow the entry that the first one made: what is later than that counts.
    assert_eq!((later(ISN).attempts, later(ISN + 1).attempts), (2, 2));
    assert!(!later(ISN).is_concurrent && !later(ISN + 1).is_concurrent);
}

#[test]
fn what_began_before_is_not_later() {
    let mut events = works(0, 100, 50).to_vec();
    events.extend(stuck(S, ISN, 1));
    let outcomes = join(&events);
    assert_eq!(outcomes.of(ISN).later_path, None);
}

#[test]
fn later_attempts_that_are_answered_without_leaving_take_another_way() {
    let mut events = stuck(0, ISN, 1).to_vec();
    events.extend([established(2 * S, 7, service(50)), established(2 * S, 8, service(51)), tick(4 * S)]);
    let outcomes = join(&events);
    let later = outcomes.of(ISN).later_path.unwrap();
    assert_eq!((later.attempts, later.translated, later.is_answered), (2, None, true));
}

#[test]
fn a_way_that_others_took_before_holds_at_the_same_time() {
    let concurrent = |before: &[Event]| {
        let mut events = before.to_vec();
        events.extend(stuck(10 * S, ISN, 1));
        events.extend(works(12 * S, 200, 60));
        events.push(tick(14 * S));
        let outcomes = join(&events);
        outcomes.of(ISN).later_path.unwrap().is_concurrent
    };
    assert!(!concurrent(&[]));
    assert!(concurrent(&works(0, 100, 50)));
    // A sidecar: the client's own connection ends inside, and the sidecar's leaves.
    let inside = established(0, 7, service(50));
    let mut events = vec![inside, tick(5 * S)];
    events.extend(stuck(10 * S, ISN, 1));
    events.extend([established(12 * S, 8, service(51)), tick(14 * S)]);
    let outcomes = join(&events);
    let later = outcomes.of(ISN).later_path.unwrap();
    assert!(later.translated.is_none() && later.is_concurrent);
}
