//! Link types, tags, IPv6 extension headers, ICMP errors, tunnels, and packets that are cut.

use tracer_common::events::{WIRE_DATA, WIRE_ECN, WIRE_FAST_OPEN, WIRE_MPTCP, WIRE_UNREACHABLE};

use super::super::segment::{Content, read as read_ip};
use super::*;

const FLOW: &str = "192.0.2.1:40000 > 203.0.113.80:443";

fn v4() -> Vec<u8> {
    syn("192.0.2.1:40000", "203.0.113.80:443", 7)
}

fn v6() -> Vec<u8> {
    syn("[2001:db8::1]:40000", "[2001:db8::2]:443", 7)
}

fn seen(link: u32, packet: Vec<u8>) -> String {
    the_syn(pcap(link, &[(0, packet)]))
}

#[test]
fn every_link_type_is_read() {
    assert_eq!(seen(ETHERNET, ethernet(&v4())), FLOW);
    assert_eq!(seen(ETHERNET, ethernet(&v6())), "[2001:db8::1]:40000 > [2001:db8::2]:443");
    assert_eq!(seen(276, cooked(3, true, &v4())), FLOW);
    // Loopback, whose ARPHRD is not that of Ethernet.
    let sll = [&[0, 4, 3, 4, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0], v4().as_slice()].concat();
    assert_eq!(seen(113, sll), FLOW);
    for raw in [12, 14, 101, 228] {
        assert_eq!(seen(raw, v4()), FLOW, "{raw}");
    }
    assert_eq!(seen(0, [&[2, 0, 0, 0], v4().as_slice()].concat()), FLOW);
    assert_eq!(seen(108, [&[0, 0, 0, 2], v4().as_slice()].concat()), FLOW);
    assert!(wires(pcap(147, &[(0, v4())])).is_empty());
}

#[test]
fn tags_and_pppoe_are_passed() {
    let frame = |between: &[u8]| [&[2; 12], between, v4().as_slice()].concat();
    assert_eq!(seen(ETHERNET, frame(&[0x81, 0x00, 0, 5, 0x08, 0x00])), FLOW);
    assert_eq!(seen(ETHERNET, frame(&[0x88, 0xa8, 0, 5, 0x81, 0x00, 0, 6, 0x08, 0x00])), FLOW);
    assert_eq!(seen(ETHERNET, frame(&[0x88, 0x64, 0x11, 0, 0, 1, 0, 42, 0, 0x21])), FLOW);
}

#[test]
fn extension_headers_of_ipv6_are_passed() {
    let mut packet = v6();
    // Hop-by-hop options with padding, before TCP.
    packet[6] = 0;
    packet[5] += 8;
    let at = packet.split_off(40);
    assert_eq!(
        seen(101, [packet, vec![6, 0, 1, 4, 0, 0, 0, 0], at].concat()),
        "[2001:db8::1]:40000 > [2001:db8::2]:443"
    );
}

#[test]
fn a_syn_may_be_cut_behind_its_flags_but_not_before() {
    let with_options = |len: usize| {
        let mut file = pcap(101, &[(0, v4())]);
        file.truncate(24 + 16 + len);
        file[24 + 8..24 + 12].copy_from_slice(&(len as u32).to_le_bytes());
        file
    };
    assert_eq!(the_syn(with_options(20 + 14)), FLOW);
    let (events, report) = read(open(vec![with_options(20 + 13)], &[]).unwrap());
    assert!(events.iter().all(|(_, event)| !matches!(event, Event::Wire(_))));
    assert_eq!((report.packets, report.cut_packets), (1, 1));
}

#[test]
fn what_a_syn_asks_for_is_read() {
    let bits = |change: fn(&mut Vec<u8>)| {
        let mut packet = v4();
        change(&mut packet);
        let Content::Tcp(segment) = read_ip(&packet) else { panic!("no segment") };
        segment.syn_bits
    };
    assert_eq!(bits(|_| {}), 0);
    assert_eq!(bits(|packet| packet[33] |= 0xc0), WIRE_ECN);
    // Padding, SACK permitted, a cookie request.
    let options = |packet: &mut Vec<u8>| {
        packet.extend([1, 1, 4, 2, 34, 2, 0, 0]);
        (packet[3], packet[32]) = (48, 0x70);
    };
    assert_eq!(bits(options), WIRE_FAST_OPEN);
    // MP_CAPABLE behind a window scale.
    let options = |packet: &mut Vec<u8>| {
        packet.extend([1, 3, 3, 7, 30, 4, 1, 1]);
        (packet[3], packet[32]) = (48, 0x70);
    };
    assert_eq!(bits(options), WIRE_MPTCP);
    assert_eq!(bits(|packet| packet[3] += 5), WIRE_DATA);
}

#[test]
fn an_icmp_error_about_a_syn_is_read_from_eight_bytes_of_it() {
    let error = |quoted: &[u8]| {
        let mut packet = Vec::new();
        let ip = etherparse::PacketBuilder::ipv4([198, 51, 100, 1], [192, 0, 2, 1], 64);
        let kind = etherparse::Icmpv4Type::Unknown { type_u8: 3, code_u8: 1, bytes5to8: [0; 4] };
        ip.icmpv4(kind).write(&mut packet, quoted).unwrap();
        packet
    };
    let left = ethernet(&v4());
    let file = |quoted: &[u8]| pcap(ETHERNET, &[(0, left.clone()), (1, ethernet(&error(quoted)))]);
    let about = wires(file(&v4()[..28]));
    let [_, about] = about.as_slice() else { panic!("{about:?}") };
    assert_eq!((about.packet, about.detail, about.isn), (WIRE_UNREACHABLE, 0x0301, 7));
    assert_eq!(format!("{:?}", about.flow), FLOW);
    // About a segment of a connection.
    assert_eq!(wires(file(&segment("192.0.2.1:40000", "203.0.113.80:443", 7, Flags::Ack))).len(), 1);
}

#[test]
fn vxlan_and_geneve_are_opened_as_an_interface_that_encapsulates() {
    let tunnel = |port: u16, header: &[u8]| {
        let mut packet = Vec::new();
        let ip = etherparse::PacketBuilder::ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64);
        let inside = [header, ethernet(&syn("10.42.0.7:5000", "10.42.1.8:80", 7)).as_slice()].concat();
        ip.udp(50000, port).write(&mut packet, &inside).unwrap();
        pcap(ETHERNET, &[(0, ethernet(&packet))])
    };
    let vxlan = [8, 0, 0, 0, 0, 0, 1, 0];
    for file in [
        tunnel(4789, &vxlan),
        tunnel(8472, &vxlan),
        tunnel(6081, &[0, 0, 0x65, 0x58, 0, 0, 1, 0]),
        tunnel(6081, &[1, 0, 0x65, 0x58, 0, 0, 1, 0, 9, 9, 9, 9]),
    ] {
        assert_eq!(the_syn(file.clone()), "10.42.0.7:5000 > 10.42.1.8:80");
        let encapsulates =
            |event: &Event| matches!(event, Event::Uplink(uplink) if uplink.link == 1 && uplink.name() == b"vni1");
        assert!(events_of(file).iter().any(encapsulates));
    }
    assert!(wires(tunnel(53, &vxlan)).is_empty());
}
