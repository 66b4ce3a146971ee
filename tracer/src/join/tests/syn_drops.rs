//! Which drops stop a SYN or its answer on its way.

use tracer_common::events::{SENDER_ADDED, UNTRACKED, UPLINK_WATCHED};

use super::*;

/// Another interface of the node: a mirror's, or a port of the bridge that the uplink is.
const ANOTHER: u32 = 9;
const FRONT_NETNS: u32 = 4_026_532_777;
/// In a namespace of its own behind the first NAT, which is watched too.
const NEXT_NETNS: u32 = 4_026_532_888;

/// In a namespace, on the way to an interface or on it.
fn dropped_in(at: u64, flow: Flow, netns: u32, ifindex: u32) -> Event {
    changed(dropped(at, ISN, flow, 0), |drop| (drop.stamp.netns, drop.ifindex) = (netns, ifindex))
}

/// SYNs that left twice and were not answered, with drops about them: those that count, those of them after the SYN left, and the others.
fn counted(drops: &[Event]) -> (u8, u8, u8) {
    let mut events = vec![
        uplink(0, UPLINK, "eth0", UPLINK_WATCHED, 0),
        bind(MS, ISN, pod(1), node(2)),
        syn(MS, ISN, node(2)),
        syn(S, ISN, node(2)),
        retransmit(S, ISN, pod(1), 1),
        closed(9 * S, ISN, pod(1), ETIMEDOUT),
    ];
    events.extend(drops);
    events.sort_by_key(|event| event.stamp().time_ns);
    let attempt = only(&events);
    assert_eq!(attempt.syns_leaving, 2);
    (attempt.syn_dropped.count, attempt.dropped_after_leaving, attempt.syn_dropped_aside.count)
}

#[test]
fn the_queue_of_the_uplink_drops_what_was_seen_leaving() {
    assert_eq!(counted(&[dropped_in(MS + 10_000, node(2), NODE_NETNS, UPLINK)]), (1, 1, 0));
}

#[test]
fn a_device_that_sends_for_the_uplink_drops_what_was_seen_leaving() {
    let drop = dropped_in(MS + 10_000, node(2), NODE_NETNS, ANOTHER);
    let sends = |address_of: &str| address(0, ANOTHER, address_of, SENDER_ADDED);
    assert_eq!(counted(&[sends("198.51.100.1"), drop]), (1, 1, 0));
    assert_eq!(counted(&[sends("198.51.100.2"), drop]), (0, 0, 1));
}

#[test]
fn a_copy_is_dropped_on_another_interface_before_or_after_the_syn_leaves() {
    let drop = |at| dropped_in(at, node(2), NODE_NETNS, ANOTHER);
    assert_eq!(counted(&[drop(MS + 10_000), drop(S + 10_000)]), (0, 0, 2));
    assert_eq!(counted(&[drop(S - 10_000)]), (0, 0, 1));
    // Before anything else is known of the attempt.
    assert_eq!(counted(&[drop(MS - 10_000)]), (0, 0, 1));
}

#[test]
fn an_untracked_packet_is_no_syn_that_nat_translates() {
    let untracked = |at| changed(dropped_in(at, pod(1), NODE_NETNS, 7), |drop| drop.ctinfo = UNTRACKED);
    assert_eq!(counted(&[untracked(3 * S)]), (0, 0, 1));
    assert_eq!(counted(&[dropped_in(3 * S, pod(1), NODE_NETNS, 7)]), (1, 0, 0));
}

#[test]
fn a_namespace_in_front_of_the_uplink_is_beyond_it_unless_it_is_watched() {
    assert_eq!(counted(&[dropped_in(S + 10_000, node(2), FRONT_NETNS, 3)]), (0, 0, 1));
    let watched =
        Uplink { stamp: stamp(Uplink::KIND, 0, NEXT_NETNS), ifindex: 3, state: UPLINK_WATCHED, ..Zeroable::zeroed() };
    assert_eq!(counted(&[watched.into(), dropped_in(S + 10_000, node(2), NEXT_NETNS, 4)]), (1, 1, 0));
}

#[test]
fn a_drop_that_counts_stays_when_a_later_one_was_of_a_copy() {
    let drops = [300, 1000].map(|ms| dropped_in(ms * MS - 10_000, pod(1), NODE_NETNS, 7));
    assert_eq!(counted(&drops), (1, 0, 1));
}

#[test]
fn an_answer_dropped_in_front_of_the_uplink_did_not_arrive() {
    let dropped_in_front = |at| changed(answer_dropped(at, ISN, node(2)), |drop| drop.stamp.netns = FRONT_NETNS);
    let of = |events: &[Event]| {
        let before = [uplink(0, UPLINK, "eth0", UPLINK_WATCHED, 0), syn(MS, ISN, node(2))];
        only(&[&before, events, &[syn(S, ISN, node(2))]].concat()).answer_dropped.count
    };
    assert_eq!(of(&[dropped_in_front(2 * MS)]), 0);
    // It arrived, and was dropped in the namespace of a pod.
    assert_eq!(of(&[syn_ack(2 * MS, ISN, node(2)), dropped_in_front(3 * MS)]), 1);
}
