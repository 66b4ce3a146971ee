//! By which interface a SYN left, with whose address, and whether that was watched.

use tracer_common::events::{
    ADDRESS_ADDED, ADDRESS_REMOVED, HOST_ROUTE_ADDED, HOST_ROUTE_REMOVED, LINK_ENCAPSULATES, LOCAL_ROUTE_ADDED,
    LOCAL_ROUTE_REMOVED, UPLINK_BLIND, UPLINK_LEFT, UPLINK_WATCHED, WIRE_DATA, WIRE_ECN, WIRE_FAST_OPEN,
};

use super::*;
use crate::model::{FeatureCounts, SourceAddress, SynFeatures, Watch};

const WAN2: u32 = 5;

/// Two uplinks: 198.51.100.1 on eth0, 203.0.113.1 on wan2.
fn two_uplinks() -> Vec<Event> {
    vec![
        uplink(0, UPLINK, "eth0", UPLINK_WATCHED, 0),
        uplink(0, WAN2, "wan2", UPLINK_WATCHED, 0),
        address(0, UPLINK, "198.51.100.1", ADDRESS_ADDED),
        address(0, WAN2, "203.0.113.1", ADDRESS_ADDED),
    ]
}

fn after(mut events: Vec<Event>, more: &[Event]) -> Outcomes {
    events.extend_from_slice(more);
    join(&events)
}

#[test]
fn a_syn_that_leaves_by_the_interface_of_its_address() {
    let outcomes = after(two_uplinks(), &[syn(1, ISN, node(9)), syn(S, ISN, node(9))]);
    let egress = outcomes.only().egress;
    assert_eq!((egress.interface.to_string().as_str(), egress.first_interface), ("eth0", None));
    assert_eq!(
        (egress.source, egress.encapsulates, egress.watch),
        (SourceAddress::OfInterface, false, Watch::Complete)
    );
}

#[test]
fn a_retransmit_that_leaves_by_another_uplink_has_the_address_of_the_first() {
    let more = [syn_by(1, ISN, node(9), UPLINK, 0), syn_by(S, ISN, node(9), WAN2, 0)];
    let outcomes = after(two_uplinks(), &more);
    assert_eq!(outcomes.retransmitted(), [(S, 1)]);
    let egress = outcomes.only().egress;
    assert_eq!(egress.interface.to_string(), "wan2");
    assert_eq!(egress.first_interface.map(|name| name.to_string()).as_deref(), Some("eth0"));
    assert_eq!(egress.source, SourceAddress::OfOtherInterface);
    assert_eq!((egress.source_interface.to_string().as_str(), egress.source_interface_is_uplink), ("eth0", true));
}

#[test]
fn an_address_counts_for_syns_until_it_is_removed() {
    let removed = address(S / 2, UPLINK, "198.51.100.1", ADDRESS_REMOVED);
    let source = |more: &[Event]| after(two_uplinks(), more).only().egress.source;
    let before = [syn(1, ISN, node(9)), syn(S / 4, ISN, node(9)), removed];
    assert_eq!(source(&before), SourceAddress::OfInterface);
    // The client gives up after that.
    let opened = retransmit(S / 4, ISN, pod(9), 1);
    let given_up = [before[0], opened, before[1], removed, closed(S, ISN, pod(9), 110)];
    assert_eq!(source(&given_up), SourceAddress::OfInterface);
    assert_eq!(source(&[syn(1, ISN, node(9)), removed, syn(S, ISN, node(9))]), SourceAddress::NotOfNode);
    let again = address(S / 2 + 1, UPLINK, "198.51.100.1", ADDRESS_ADDED);
    assert_eq!(source(&[syn(1, ISN, node(9)), removed, again, syn(S, ISN, node(9))]), SourceAddress::OfInterface);
}

#[test]
fn an_old_trace_does_not_know_whose_address_it_is() {
    let attempt = only(&[syn(1, ISN, node(9)), syn(S, ISN, node(9))]);
    assert_eq!((attempt.egress.source, attempt.egress.watch), (SourceAddress::Unknown, Watch::Unknown));
}

#[test]
fn a_source_that_was_answered_there_is_known() {
    let other = |port| flow("10.42.0.7", port, "192.0.2.7", 443);
    let answered = |more: &[Event]| {
        let mut events = two_uplinks();
        events.extend_from_slice(more);
        events.extend([tick(20 * S), syn(20 * S, ISN, pod(1)), syn(21 * S, ISN, pod(1))]);
        join(&events).ended.last().unwrap().egress
    };
    assert!(!answered(&[]).source_is_answered);
    assert_eq!(answered(&[]).source, SourceAddress::NotOfNode);
    // A neighbour of the pod was answered: its addresses are routed.
    assert!(answered(&[syn(0, 7, other(1)), syn_ack(MS, 7, other(1))]).source_is_answered);
    assert!(!answered(&[syn(0, 7, node(1)), syn_ack(MS, 7, node(1))]).source_is_answered);
    let private = |port| flow("10.42.0.7", port, "10.1.1.1", 443);
    assert!(!answered(&[syn(0, 7, private(1)), syn_ack(MS, 7, private(1))]).source_is_answered);
}

#[test]
fn what_was_answered_while_the_node_had_the_address_does_not_say_that_it_is_routed() {
    // A virtual address moves to another node; attempts with it, and then with the address that stays, were answered.
    let vip = |port| flow("198.51.100.50", port, "192.0.2.7", 443);
    let mut events = two_uplinks();
    events.extend([
        address(0, UPLINK, "198.51.100.50", ADDRESS_ADDED),
        syn(1, 7, vip(1)),
        syn_ack(MS, 7, vip(1)),
        address(S, UPLINK, "198.51.100.50", ADDRESS_REMOVED),
        syn(2 * S, 8, node(2)),
        syn_ack(2 * S + MS, 8, node(2)),
        tick(20 * S),
        syn(20 * S, ISN, vip(9)),
        syn(21 * S, ISN, vip(9)),
    ]);
    let egress = join(&events).ended.last().unwrap().egress;
    assert_eq!(egress.source, SourceAddress::NotOfNode);
    assert!(egress.source_was_of_node && egress.source_is_on_link && !egress.source_is_answered);
}

#[test]
fn the_watch_is_complete_only_if_nothing_changed_or_passed_unseen() {
    let watch = |changes: &[Event]| {
        let mut events = two_uplinks();
        events.push(retransmit(S, ISN, pod(1), 1));
        events.extend_from_slice(changes);
        events.push(retransmit(3 * S, ISN, pod(1), 2));
        only(&events).egress.watch
    };
    assert_eq!(watch(&[]), Watch::Complete);
    for state in [UPLINK_LEFT, UPLINK_BLIND] {
        assert_eq!(watch(&[uplink(2 * S, WAN2, "wan2", state, 0)]), Watch::Incomplete);
    }
}

#[test]
fn what_a_local_route_covers_is_the_nodes() {
    const LO: u32 = 1;
    let local = |at, state| {
        let Event::Address(event) = address(at, LO, "192.0.2.0", state) else { unreachable!() };
        Event::from(Address { prefix: 96 + 28, ..event })
    };
    let from = |source: &str, more: &[Event]| {
        let leaving = |at| syn(at, ISN, flow(source, 9, "198.51.100.80", 443));
        let mut events = two_uplinks();
        events.extend([leaving(S), leaving(2 * S)]);
        events.extend_from_slice(more);
        events.sort_by_key(|event| event.stamp().time_ns);
        let egress = only(&events).egress;
        (egress.source, egress.source_interface_is_uplink)
    };
    let added = local(0, LOCAL_ROUTE_ADDED);
    assert_eq!(from("192.0.2.7", &[added]), (SourceAddress::OfOtherInterface, false));
    assert_eq!(from("192.0.2.16", &[added]).0, SourceAddress::NotOfNode);
    assert_eq!(from("192.0.2.7", &[added, local(S / 2, LOCAL_ROUTE_REMOVED)]).0, SourceAddress::NotOfNode);
}

#[test]
fn an_address_of_the_network_that_a_route_leads_elsewhere_is_not_on_link() {
    let is_on_link = |more: &[Event]| {
        let leaving = |at| syn(at, ISN, flow("198.51.100.66", 9, "203.0.113.80", 443));
        let mut events = two_uplinks();
        events.extend([leaving(S), leaving(2 * S)]);
        events.extend_from_slice(more);
        events.sort_by_key(|event| event.stamp().time_ns);
        let egress = only(&events).egress;
        assert_eq!(egress.source, SourceAddress::NotOfNode);
        egress.source_is_on_link
    };
    let route = |at, ifindex, state| address(at, ifindex, "198.51.100.66", state);
    assert!(is_on_link(&[]));
    assert!(!is_on_link(&[route(0, 9, HOST_ROUTE_ADDED)]));
    assert!(is_on_link(&[route(0, UPLINK, HOST_ROUTE_ADDED)]));
    assert!(is_on_link(&[route(0, 9, HOST_ROUTE_ADDED), route(MS, 9, HOST_ROUTE_REMOVED)]));
}

#[test]
fn what_the_first_syn_asked_for_and_the_newest_does_not() {
    let more = [syn_by(0, ISN, node(9), UPLINK, WIRE_ECN | WIRE_OWN), syn_by(S, ISN, node(9), UPLINK, WIRE_OWN)];
    let egress = only(&more).egress;
    assert_eq!(egress.first_syn, SynFeatures { ecn: true, ..SynFeatures::default() });
    assert!(egress.newest_syn.is_plain());
    let data = WIRE_DATA | WIRE_FAST_OPEN;
    let egress = only(&[syn_by(0, ISN, node(9), UPLINK, data), syn_by(S, ISN, node(9), UPLINK, 0)]).egress;
    assert_eq!(egress.first_syn, SynFeatures { ecn: false, data: true, fast_open: true, mptcp: false });
}

#[test]
fn how_others_to_the_destination_fared_with_such_a_syn_is_told() {
    let mut events = Vec::new();
    for isn in 0..3 {
        events.extend([syn_by(0, isn, node(9), UPLINK, WIRE_ECN), syn_by(S, isn, node(9), UPLINK, 0)]);
        events.push(syn_ack(S + MS, isn, node(9)));
    }
    events.extend([syn_by(2 * S, 7, node(9), UPLINK, WIRE_ECN), syn_ack(2 * S + MS, 7, node(9)), tick(8 * S)]);
    events.extend([syn_by(8 * S, 70, node(9), UPLINK, 0), syn_ack(8 * S + MS, 70, node(9))]);
    events.extend([syn_by(8 * S, 71, node(9), UPLINK, 0), syn_by(9 * S, 71, node(9), UPLINK, 0)]);
    events.extend([syn_ack(9 * S + MS, 71, node(9)), tick(17 * S)]);
    let elsewhere = flow("198.51.100.1", 9, "192.0.2.8", 443);
    events.extend([syn_by(8 * S, 8, elsewhere, UPLINK, WIRE_ECN), syn_by(9 * S, 8, elsewhere, UPLINK, 0)]);
    events.extend([syn_by(8 * S, ISN, node(9), UPLINK, WIRE_ECN), syn_by(9 * S, ISN, node(9), UPLINK, 0)]);
    let outcomes = join(&events);
    let others = |isn: u32| outcomes.of(isn).egress.others;
    let expected = FeatureCounts {
        answered: 1,
        only_plain_answered: 3,
        plain_answered: 1,
        plain_retransmitted: 1,
        plain_lost: 0,
        ..FeatureCounts::default()
    };
    assert_eq!(others(ISN), expected);
    assert_eq!(others(8), FeatureCounts::default());
}

#[test]
fn an_interface_that_encapsulates_is_known_with_and_without_retransmits() {
    let vxlan = uplink(0, 9, "flannel.1", UPLINK_WATCHED, LINK_ENCAPSULATES);
    assert!(only(&[vxlan, syn_by(1, ISN, node(9), 9, 0), syn_by(S, ISN, node(9), 9, 0)]).egress.encapsulates);
    let events = [vxlan, syn_by(1, ISN, node(9), 9, 0), syn_ack(2, ISN, node(9))];
    assert!(only(&events).egress.encapsulates);
    // The interface may be used before it is said to be watched.
    let late = [syn_by(1, 7, node(8), 9, 0), vxlan, syn_by(1, ISN, node(9), 9, 0)];
    assert!(join(&late).ended.iter().all(|attempt| attempt.egress.encapsulates));
}

/// A pod whose own interface is watched beside the node's uplink.
#[test]
fn an_interface_before_nat_changes_no_port() {
    let passes = |at| [own_syn(at, ISN, pod(7)), syn_by(at + 1, ISN, node(9), WAN2, 0)];
    let by_wire = [passes(1), passes(S)].concat();
    let by_both = [&passes(1)[..1], &[bind(2, ISN, pod(7), node(9))], &passes(2)[1..], &passes(S)].concat();
    for (events, selections) in [(by_wire, 0), (by_both, 1)] {
        let outcomes = after(two_uplinks(), &events);
        assert_eq!(outcomes.retransmitted(), [(S + 1, 1)]);
        let attempt = outcomes.only();
        assert_eq!((attempt.translated, attempt.selections), (Some(node(9)), selections));
        let egress = attempt.egress;
        assert_eq!((egress.interface.to_string().as_str(), egress.first_interface), ("wan2", None));
    }
}

#[test]
fn a_later_attempt_with_the_own_address_shows_that_the_destination_is_alive() {
    let foreign = |port| flow("203.0.113.1", port, "192.0.2.7", 443);
    let fails = |at, isn, port| [syn(at, isn, foreign(port)), syn(at + S, isn, foreign(port))];
    let works = |at, source| [syn(at, 7, source), syn_ack(at + MS, 7, source)];
    let last = |answered: &[Event]| {
        let failing = [fails(0, ISN, 1), fails(MS, ISN + 1, 2), fails(2 * MS, ISN + 2, 3)].concat();
        let mut events = [two_uplinks(), failing, answered.to_vec()].concat();
        events.sort_by_key(|event| event.stamp().time_ns);
        let egress = join(&events).ended.iter().find(|attempt| attempt.isn == ISN + 2).unwrap().egress;
        assert_eq!((egress.source, egress.attempts_with_source), (SourceAddress::OfOtherInterface, 3));
        egress.own_source_is_answered
    };
    assert!(!last(&[]));
    assert!(last(&works(3 * S, node(9))));
    // Before, or to another destination, or with the same source, it shows nothing.
    assert!(!last(&works(0, node(9))));
    assert!(!last(&works(3 * S, flow("198.51.100.1", 9, "192.0.2.8", 443))));
    assert!(!last(&works(3 * S, foreign(9))));
}
