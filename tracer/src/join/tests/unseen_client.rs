//! SYNs of clients without a socket here that this node drops: virtual machines, machines behind a gateway, NodePort clients.

use tracer_common::events::{NO_ENTRY, STATUS_SRC_NAT_DONE};

use super::*;
use crate::join::Limits;
use crate::model::Outcome;

#[test]
fn the_second_drop_of_a_syn_opens_an_attempt() {
    let drops = [0, S, 3 * S].map(|at| dropped(at, ISN, pod(1), 0));
    let outcomes = join(&drops);
    let attempt = outcomes.only();
    assert_eq!(outcomes.retransmitted(), [(S, 1), (3 * S, 2)]);
    assert_eq!((attempt.original, attempt.translated, attempt.socket_netns), (Some(pod(1)), None, None));
    assert_eq!((attempt.syn_dropped.count, attempt.retransmits), (3, 2));
    let mut join = Joins::new(1);
    feed(&mut join, &drops);
    assert_eq!(feed(&mut join, &[tick(160 * S)]).only().outcome, Outcome::TimedOut);
}

#[test]
fn the_same_packet_dropped_twice_or_another_destination_opens_none() {
    let other = flow("10.42.0.9", 1, "192.0.2.8", 443);
    let events = [dropped(0, ISN, pod(1), 0), dropped(MS, ISN, pod(1), 0), dropped(S, ISN, other, 0)];
    assert!(join(&events).ended.is_empty());
}

#[test]
fn the_entry_of_a_clash_tells_the_original() {
    let client = flow("203.0.113.9", 40_000, "198.51.100.1", 30_080);
    let clash = |at, port| changed(dropped(at, ISN, node(port), STATUS_SRC_NAT_DONE), |drop| drop.original = client);
    let outcomes = join(&[clash(0, 5), clash(S, 6)]);
    let attempt = outcomes.only();
    assert_eq!((attempt.original, attempt.translated), (Some(client), Some(node(6))));
    assert_eq!((attempt.unconfirmed, attempt.retransmits), (2, 1));
    // With the bindings that the drops report, they are the same SYNs.
    let bound = [bind(0, ISN, client, node(5)), clash(1, 5), bind(S, ISN, client, node(6)), clash(S + 1, 6)];
    let outcomes = join(&bound);
    assert_eq!(
        (outcomes.retransmitted(), outcomes.only().selections, outcomes.only().unconfirmed),
        (vec![(S, 1)], 2, 2)
    );
}

#[test]
fn a_socket_that_tells_later_is_the_client() {
    let outcomes =
        join(&[dropped(0, ISN, pod(1), 0), dropped(S, ISN, pod(1), 0), retransmit(S + 1_000, ISN, pod(1), 1)]);
    assert_eq!((outcomes.retransmitted(), outcomes.only().socket_netns), (vec![(S + 1_000, 1)], Some(POD_NETNS)));
}

#[test]
fn a_drop_after_the_syn_left_is_the_same_transmission() {
    let outcomes = join(&[syn(0, ISN, node(2)), dropped(MS, ISN, node(2), STATUS_SRC_NAT_DONE), syn(S, ISN, node(2))]);
    assert_eq!((outcomes.retransmitted(), outcomes.only().syn_dropped_aside.count), (vec![(S, 1)], 1));
}

#[test]
fn a_flood_from_outside_pushes_out_none_but_its_own() {
    let mut join = Joins::with_limits(1, Limits { dropped: 10, ..Limits::default() });
    feed(&mut join, &[syn(0, ISN, node(1))]);
    for isn in 0..1000 {
        let flood = |at| changed(dropped(at, isn, pod(isn as u16), 0), |drop| drop.ctinfo = NO_ENTRY);
        feed(&mut join, &[flood(u64::from(isn) * MS), flood(u64::from(isn) * MS + S)]);
    }
    assert_eq!((join.open(), join.evicted()), (11, 990));
}
