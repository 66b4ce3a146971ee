//! NAT64: the socket is of IPv6, and its SYN leaves as IPv4, or the other way round.

use super::*;

/// The socket of a pod, to 192.0.2.7:443 behind NAT64.
fn socket() -> Flow {
    flow("2001:db8::9", 1, "64:ff9b::192.0.2.7", 443)
}

#[test]
fn a_syn_that_leaves_as_ipv4_is_that_of_its_ipv6_socket() {
    let syns = [syn(0, ISN, node(2)), syn(S, ISN, node(2)), retransmit(S + 1_000, ISN, socket(), 1)];
    let outcomes = join(&syns);
    let attempt = outcomes.only();
    assert_eq!((attempt.original, attempt.translated, attempt.selections), (Some(socket()), Some(node(2)), 0));
    assert_eq!((outcomes.retransmitted(), attempt.is_translated()), (vec![(S + 1_000, 1)], Some(true)));
}

#[test]
fn what_masquerade_makes_of_the_translator_continues_the_attempt() {
    let translator = flow("192.168.255.9", 1, "192.0.2.7", 443);
    for socket_first in [true, false] {
        let reported = retransmit(S + 1_000, ISN, socket(), 1);
        let mut events = vec![bind(0, ISN, translator, node(2)), syn(1_000, ISN, node(2))];
        events.insert(if socket_first { 0 } else { 2 }, reported);
        let attempt = only(&events);
        assert_eq!((attempt.original, attempt.translated), (Some(socket()), Some(node(2))));
    }
}

#[test]
fn an_ipv4_socket_behind_clat_leaves_as_ipv6() {
    let leaves = flow("2001:db8:1::1", 1, "64:ff9b::192.0.2.7", 443);
    let attempt = only(&[syn(0, ISN, leaves), retransmit(S, ISN, pod(1), 1), syn(S, ISN, leaves)]);
    assert_eq!((attempt.original, attempt.translated), (Some(pod(1)), Some(leaves)));
}

#[test]
fn another_destination_of_the_other_family_is_another_attempt() {
    let other = flow("2001:db8::9", 1, "64:ff9b::192.0.2.8", 443);
    assert_eq!(join(&[syn(0, ISN, node(2)), retransmit(S, ISN, other, 1)]).ended.len(), 2);
}
