//! Attempts that neither NAT nor the wire report, and tuples that exist more than once.

use super::*;
use crate::model::Outcome;

#[test]
fn an_attempt_inside_the_cluster_is_one_event() {
    let mut join = Joins::new(1);
    assert!(feed(&mut join, &[established(0, ISN, service(1))]).ended.is_empty());
    let outcomes = feed(&mut join, &[tick(S)]);
    let attempt = outcomes.only();
    assert_eq!((attempt.isn, attempt.outcome), (ISN, Outcome::Established));
    assert_eq!((attempt.translated, attempt.is_translated()), (None, None));
}

#[test]
fn a_socket_that_found_no_port_made_no_attempt() {
    assert!(join(&[closed(0, 0, pod(0), 99)]).ended.is_empty());
}

#[test]
fn one_tuple_in_two_zones_is_two_attempts() {
    let outcomes = join(&[
        bind_in(0, NODE_NETNS, 1, 100, pod(1), node(9)),
        bind_in(1_000, NODE_NETNS, 2, 200, pod(1), node(8)),
        syn(S, 100, node(9)),
        syn(S + 1_000, 200, node(8)),
    ]);
    assert_eq!(outcomes.ended.iter().map(|attempt| attempt.isn).collect::<Vec<_>>(), [100, 200]);
    assert_eq!(outcomes.ports(), [Some(9), Some(8)]);
}

#[test]
fn selections_in_two_zones_go_to_their_own_bindings() {
    let Event::NatSelect(one) = select(0, pod(1)) else { unreachable!() };
    let two = NatSelect { zone: 2, flags: 0, ..one };
    let binds =
        [bind_in(2_000, NODE_NETNS, 0, 100, pod(1), node(9)), bind_in(3_000, NODE_NETNS, 2, 200, pod(1), node(8))];
    let outcomes = join(&[one.into(), two.into(), binds[0], binds[1]]);
    let flags: Vec<_> = outcomes.ended.iter().map(|attempt| attempt.range.unwrap().flags).collect();
    assert_eq!(flags, [one.flags, 0]);
}

#[test]
fn one_tuple_and_isn_in_two_namespaces_is_two_attempts() {
    let Event::SynRetransmit(one) = retransmit(0, ISN, pod(1), 1) else { unreachable!() };
    let two = SynRetransmit { stamp: Stamp { netns: 77, ..one.stamp }, ..one };
    assert_eq!(join(&[one.into(), two.into()]).ended.len(), 2);
}

#[test]
fn one_isn_with_two_originals_is_two_attempts() {
    let outcomes = join(&[bind(0, ISN, pod(1), node(9)), bind(1_000, ISN, pod(2), node(8)), syn(2_000, ISN, node(8))]);
    assert_eq!(outcomes.ended.iter().map(|attempt| attempt.syns_leaving).collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn isns_wrap_around() {
    let attempt = only(&[bind(0, u32::MAX, pod(1), node(9)), established(MS, u32::MAX, pod(1))]);
    assert_eq!((attempt.isn, attempt.outcome), (u32::MAX, Outcome::Established));
}
