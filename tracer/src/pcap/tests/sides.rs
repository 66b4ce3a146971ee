//! Both sides of NAT, one side, copies and retransmits.

use super::super::link::LinkType;
use super::*;
use crate::causes::{self, Case};

const POD: &str = "10.42.0.7:5000";
const NODE: &str = "192.0.2.1:1200";
const SERVER: &str = "203.0.113.80:443";

/// A SYN on its way through the node: the pod's interface, the bridge, the uplink.
fn through(ms: u64, isn: u32) -> [(u64, Vec<u8>); 3] {
    let pod = syn(POD, SERVER, isn);
    [(ms, cooked(7, false, &pod)), (ms, cooked(3, false, &pod)), (ms, cooked(2, true, &syn(NODE, SERVER, isn)))]
}

fn of_all_interfaces(packets: &[[(u64, Vec<u8>); 3]]) -> Vec<u8> {
    pcap(276, &packets.concat())
}

#[test]
fn a_syn_seen_on_both_sides_of_nat_has_both_tuples_and_is_flagged() {
    let all = attempts(vec![of_all_interfaces(&[through(0, 7), through(1000, 7)])], &[]);
    let [attempt] = all.as_slice() else { panic!("{all:?}") };
    assert_eq!(format!("{:?}", attempt.original.unwrap()), format!("{POD} > {SERVER}"));
    assert_eq!(format!("{:?}", attempt.translated.unwrap()), format!("{NODE} > {SERVER}"));
    assert_eq!((attempt.retransmits, attempt.syns_leaving, attempt.selections), (1, 2, 0));
    let packets = open(vec![of_all_interfaces(&[through(0, 7)])], &[]).unwrap();
    assert!(packets.capture().addresses.is_empty());
    assert!(causes::is_flagged(&Case::new(attempt, packets.capture())));
}

#[test]
fn the_same_is_found_in_two_files_that_say_no_direction() {
    let files = |name: fn(u64) -> u64| {
        let both = |src| [0, 1000].map(|ms| (name(ms), ethernet(&syn(src, SERVER, 7))));
        vec![pcap(ETHERNET, &both(POD)), pcap(ETHERNET, &both(NODE))]
    };
    let all = attempts(files(|ms| ms), &[]);
    let [attempt] = all.as_slice() else { panic!("{all:?}") };
    assert_eq!((attempt.retransmits, attempt.selections, attempt.is_translated()), (1, 0, Some(true)));
}

#[test]
fn both_sides_on_one_interface_are_joined_with_and_without_a_direction() {
    let v1 = |kind: u8, ip: Vec<u8>| [&[0, kind, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0], ip.as_slice()].concat();
    let answer = |dst| segment(SERVER, dst, 1, Flags::SynAck(8));
    let times = [0, 1000, 3000];
    let cooked = times.map(|ms| [(ms, v1(0, syn(POD, SERVER, 7))), (ms, v1(4, syn(NODE, SERVER, 7)))]).concat();
    let raw = times.map(|ms| [(ms, syn(POD, SERVER, 7)), (ms, syn(NODE, SERVER, 7))]).concat();
    let other = [(10, syn("10.42.0.9:5000", SERVER, 8)), (10, syn("192.0.2.1:1300", SERVER, 8))];
    let answers = [(11, answer("192.0.2.1:1300")), (11, answer("10.42.0.9:5000"))];
    for file in [pcap(113, &cooked), pcap(101, &[raw, other.to_vec(), answers.to_vec()].concat())] {
        let all = attempts(vec![file], &[]);
        let attempt = all.iter().find(|attempt| attempt.isn == 7).unwrap();
        assert_eq!((attempt.retransmits, attempt.syns_leaving, attempt.selections), (2, 3, 0));
        assert_eq!(attempt.is_translated(), Some(true));
        assert!(all.iter().filter(|attempt| attempt.isn == 8).all(|attempt| attempt.outcome.name() == "established"));
    }
}

#[test]
fn copies_are_no_retransmits_and_what_is_numbered_anew_is_one() {
    let numbered = |ms, id: u8, ttl| {
        let mut packet = syn(NODE, SERVER, 7);
        (packet[5], packet[8]) = (id, ttl);
        (ms, ethernet(&packet))
    };
    let retransmits = |second| {
        let file = pcap(ETHERNET, &[numbered(0, 1, 64), second]);
        attempts(vec![file], &[]).iter().map(|attempt| attempt.retransmits).collect::<Vec<_>>()
    };
    // A mirror, the other side of a router, a client that sends again after 10 ms, and one that does after a second.
    assert_eq!(retransmits(numbered(0, 1, 64)), [0]);
    assert_eq!(retransmits(numbered(1, 2, 63)), [0]);
    assert_eq!(retransmits(numbered(10, 2, 64)), [1]);
    assert_eq!(retransmits(numbered(1000, 1, 64)), [1]);
}

#[test]
fn a_syn_that_never_leaves_again_and_again_is_an_attempt() {
    let stuck = |ms| [(ms, cooked(7, false, &syn(POD, SERVER, 9))), (ms, cooked(3, false, &syn(POD, SERVER, 9)))];
    let packets = [through(0, 7).to_vec(), stuck(10).to_vec(), stuck(1010).to_vec(), stuck(3010).to_vec()].concat();
    let all = attempts(vec![pcap(276, &packets)], &[]);
    let attempt = all.iter().find(|attempt| attempt.isn == 9).unwrap();
    assert_eq!((attempt.retransmits, attempt.translated, attempt.syns_leaving), (2, None, 0));
}

#[test]
fn a_syn_that_leaves_at_its_second_try_counts_the_first_and_is_established() {
    let first = [(0, cooked(7, false, &syn(POD, SERVER, 9)))];
    let answer = segment(SERVER, NODE, 1, Flags::SynAck(9));
    let passed = segment(SERVER, POD, 1, Flags::SynAck(9));
    let answers =
        [(1001, cooked(2, false, &answer)), (1001, cooked(3, true, &passed)), (1001, cooked(7, true, &passed))];
    let packets = [through(0, 7).to_vec(), first.to_vec(), through(1000, 9).to_vec(), answers.to_vec()].concat();
    let all = attempts(vec![pcap(276, &packets)], &[]);
    let attempt = all.iter().find(|attempt| attempt.isn == 9).unwrap();
    assert_eq!((attempt.retransmits, attempt.syns_leaving, attempt.outcome.name()), (1, 1, "established"));
}

#[test]
fn a_connection_from_outside_to_a_pod_is_no_attempt() {
    let outside = |ms| {
        let (client, pod) = ("198.51.100.9:600", "10.42.0.7:80");
        let arrives = cooked(2, false, &syn(client, "192.0.2.1:30080", 11));
        [
            (ms, arrives),
            (ms, cooked(3, true, &syn("10.42.0.1:900", pod, 11))),
            (ms, cooked(7, true, &syn("10.42.0.1:900", pod, 11))),
        ]
    };
    let all = attempts(vec![of_all_interfaces(&[through(0, 7), outside(5), outside(1005)])], &[]);
    assert!(all.iter().all(|attempt| attempt.isn == 7), "{all:?}");
}

#[test]
fn of_one_side_the_address_with_a_part_in_most_syns_is_the_node() {
    let to_server = |ms, isn| (ms, ethernet(&syn(NODE, &format!("203.0.113.{isn}:443"), isn)));
    let arriving = |ms, isn| (ms, ethernet(&syn(&format!("198.51.100.{isn}:600"), "192.0.2.1:22", isn)));
    let file =
        || pcap(ETHERNET, &[arriving(0, 1), to_server(1, 2), to_server(2, 3), arriving(3, 4), to_server(1003, 3)]);
    let all = attempts(vec![file()], &[]);
    assert_eq!(all.iter().map(|attempt| attempt.isn).collect::<Vec<_>>(), [2, 3]);
    let packets = open(vec![file()], &[]).unwrap();
    let capture = packets.capture();
    assert_eq!(capture.addresses, ["192.0.2.1".parse::<IpAddr>().unwrap()]);
    let flagged: Vec<_> = all.iter().filter(|attempt| causes::is_flagged(&Case::new(attempt, capture))).collect();
    assert_eq!(flagged.len(), 1);
    let said = capture.hooks.iter().find_map(|hook| hook.off.as_ref().filter(|_| hook.stem == "nat_bind")).unwrap();
    assert!(said.contains("taken for the node's (192.0.2.1)"), "{said}");
    // Another address, if it is given: then the SYNs of these strangers leave too.
    let given = open(vec![file()], &["198.51.100.1"]).unwrap();
    assert_eq!(given.capture().addresses, ["198.51.100.1".parse::<IpAddr>().unwrap()]);
}

#[test]
fn causes_that_need_the_addresses_of_the_node_are_not_named() {
    let to_server = |ms, src: &str, isn| (ms, ethernet(&syn(src, SERVER, isn)));
    let untranslated = "10.42.0.7:5000";
    let packets =
        [to_server(0, NODE, 1), to_server(1, NODE, 2), to_server(2, untranslated, 3), to_server(1002, untranslated, 3)];
    let all = attempts(vec![pcap(ETHERNET, &packets)], &[]);
    let packets = open(vec![pcap(ETHERNET, &packets)], &[]).unwrap();
    let attempt = all.iter().find(|attempt| attempt.isn == 3).unwrap();
    let case = Case::new(attempt, packets.capture());
    assert_eq!((causes::cause_of(&case).id, causes::is_flagged(&case)), ("no_answer", false));
}

#[test]
fn an_interface_whose_syns_leave_inside_a_tunnel_encapsulates() {
    let (vxlan, to) = ([8, 0, 0, 0, 0, 0, 1, 0], "10.42.1.8:80");
    let inside = syn("10.42.0.0:1200", to, 7);
    let mut outside = Vec::new();
    let ip = PacketBuilder::ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64);
    ip.udp(50000, 8472).write(&mut outside, &[vxlan.as_slice(), &ethernet(&inside)].concat()).unwrap();
    let through = |ms| {
        let pod = cooked(7, false, &syn(POD, to, 7));
        [(ms, pod), (ms, cooked(4, true, &inside)), (ms, cooked(2, true, &outside))]
    };
    let file = || of_all_interfaces(&[through(0), through(1000)]);
    let all = attempts(vec![file()], &[]);
    let [attempt] = all.as_slice() else { panic!("{all:?}") };
    assert_eq!((attempt.retransmits, attempt.is_translated(), attempt.egress.encapsulates), (1, Some(true), true));
    let packets = open(vec![file()], &[]).unwrap();
    assert!(!causes::is_flagged(&Case::new(attempt, packets.capture())));
}

#[test]
fn a_segment_for_an_older_connection_is_a_stray() {
    let ack = (1001, ethernet(&segment(SERVER, NODE, 99, Flags::Ack)));
    let file = pcap(ETHERNET, &[(0, ethernet(&syn(NODE, SERVER, 7))), (1000, ethernet(&syn(NODE, SERVER, 7))), ack]);
    assert_eq!(attempts(vec![file], &[])[0].strays.acks, 1);
}

#[test]
fn a_link_type_that_is_not_read_is_no_error() {
    assert_eq!(LinkType::new(105).read(&[0; 64]), None);
}

#[test]
fn a_capture_without_any_answer_is_reported_because_its_filter_may_have_excluded_them() {
    let ask = |ms, isn| (ms, ethernet(&syn(NODE, SERVER, isn)));
    let answer = (1002, ethernet(&segment(SERVER, NODE, 1, Flags::SynAck(9))));
    let count =
        |packets: &[(u64, Vec<u8>)]| read(open(vec![pcap(ETHERNET, packets)], &[]).unwrap()).1.unanswerable_syns;
    assert_eq!(count(&[ask(0, 9), ask(1000, 9), ask(1001, 11)]), 3);
    assert_eq!(count(&[ask(0, 9), ask(1000, 9), ask(1001, 11), answer]), 0);
}
