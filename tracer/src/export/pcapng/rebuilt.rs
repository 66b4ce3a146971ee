//! Packets from the events that report them: addresses, ports, sequence numbers and flags are those that were seen, and checksums
//! are right. What no event has is zero, and what was longer is marked as cut.

use std::net::{Ipv4Addr, Ipv6Addr};

use etherparse::{
    Icmpv4Header, Icmpv4Type, Icmpv6Header, Icmpv6Type, IpNumber, Ipv4Header, Ipv6FlowLabel, Ipv6Header, TcpHeader,
};
use tracer_common::events::{
    WIRE_DATA, WIRE_ECN, WIRE_EGRESS, WIRE_FAST_OPEN, WIRE_MPTCP, WIRE_RST, WIRE_STRAY, WIRE_SYN, WIRE_SYN_ACK,
    WIRE_UNREACHABLE,
};
use tracer_common::{Event, Flow};

const TTL: u8 = 64;
/// A Fast Open option that asks for a cookie (RFC 7413), and padding.
const FAST_OPEN: [u8; 4] = [34, 2, 1, 1];
/// MP_CAPABLE of version 1, with a checksum not asked for and HMAC-SHA256 (RFC 8684, 3.1).
const MPTCP: [u8; 4] = [30, 4, 1, 1];

/// A packet that an event reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    /// As in the packet, of an ICMP error that of the SYN it quotes.
    flow: Flow,
    isn: u32,
    /// As in `wire`.
    packet: u8,
    detail: u16,
    is_egress: bool,
}

impl Seen {
    /// `None` for an event that reports no packet.
    pub(super) fn new(event: &Event) -> Option<Self> {
        let syn = |flow, isn| Some(Self { flow, isn, packet: WIRE_SYN, detail: 0, is_egress: true });
        match event {
            Event::Wire(event) => {
                let is_egress = event.direction == WIRE_EGRESS;
                Some(Self { flow: event.flow, isn: event.isn, packet: event.packet, detail: event.detail, is_egress })
            }
            Event::SynRetransmit(event) => syn(event.flow, event.isn),
            // On its way through NAT, which has not changed it yet.
            Event::NatBind(event) => syn(event.original, event.isn),
            Event::CtDrop(event) if event.packet == WIRE_SYN_ACK => {
                Some(Self { flow: event.flow, isn: event.isn, packet: WIRE_SYN_ACK, detail: 0, is_egress: false })
            }
            Event::CtDrop(event) => syn(event.flow, event.isn),
            Event::Owner(_)
            | Event::Lost(_)
            | Event::Uplink(_)
            | Event::Address(_)
            | Event::Process(_)
            | Event::Tick(_)
            | Event::CtTable(_)
            | Event::NatSelect(_)
            | Event::SockState(_) => None,
        }
    }

    /// The tuple of the SYN, and its initial sequence number.
    pub(super) const fn syn(&self) -> (Flow, u32) {
        let is_towards_server = match self.packet {
            WIRE_SYN | WIRE_UNREACHABLE => true,
            WIRE_RST | WIRE_STRAY => self.is_egress,
            _ => false,
        };
        (if is_towards_server { self.flow } else { self.flow.reversed() }, self.isn)
    }

    /// The packet, and how long it was on the wire.
    pub(super) fn rebuild(&self) -> (Vec<u8>, usize) {
        if self.packet == WIRE_UNREACHABLE { self.icmp() } else { self.tcp() }
    }

    fn header(&self) -> TcpHeader {
        let Self { flow, isn, packet, detail, is_egress } = *self;
        let after = isn.wrapping_add(1);
        let mut tcp = TcpHeader::new(flow.src_port, flow.dst_port, 0, 0);
        match (packet, is_egress) {
            (WIRE_SYN_ACK, _) => (tcp.syn, tcp.ack, tcp.acknowledgment_number) = (true, true, after),
            // The answer to a SYN acknowledges it, the answer to a SYN-ACK follows it (RFC 9293, 3.10.7.1).
            (WIRE_RST, false) => (tcp.rst, tcp.ack, tcp.acknowledgment_number) = (true, true, after),
            (WIRE_RST, true) => (tcp.rst, tcp.sequence_number) = (true, after),
            (WIRE_STRAY, _) => {
                let bit = |bit: u16| detail & bit != 0;
                (tcp.fin, tcp.syn, tcp.rst, tcp.psh, tcp.ack) = (bit(1), bit(2), bit(4), bit(8), bit(16));
                tcp.sequence_number = if is_egress { after } else { 0 };
            }
            _ => {
                (tcp.syn, tcp.sequence_number) = (true, isn);
                let is_ecn = detail & WIRE_ECN != 0 && packet == WIRE_SYN;
                (tcp.ece, tcp.cwr) = (is_ecn, is_ecn);
                let options = [(WIRE_FAST_OPEN, FAST_OPEN), (WIRE_MPTCP, MPTCP)].into_iter();
                let has_it = |bit: u16| detail & bit != 0 && packet == WIRE_SYN;
                let options: Vec<u8> = options.filter(|(bit, _)| has_it(*bit)).flat_map(|(_, bytes)| bytes).collect();
                // Eight bytes always fit.
                let _ = tcp.set_options_raw(&options);
            }
        }
        tcp
    }

    fn tcp(&self) -> (Vec<u8>, usize) {
        let (mut tcp, Flow { src, dst, .. }) = (self.header(), self.flow);
        // How much data a SYN had is not known; there was some.
        let has_data = self.packet == WIRE_SYN && self.detail & WIRE_DATA != 0;
        let data: &[u8] = if has_data { &[0] } else { &[] };
        let checksum = if self.flow.is_ipv4() {
            tcp.calc_checksum_ipv4_raw(v4(src), v4(dst), data)
        } else {
            tcp.calc_checksum_ipv6_raw(src, dst, data)
        };
        tcp.checksum = checksum.unwrap_or_default();
        let packet = [&ip(src, dst, IpNumber::TCP, tcp.header_len() + data.len())[..], &tcp.to_bytes()[..]].concat();
        let original_len = packet.len() + data.len();
        (packet, original_len)
    }

    /// Who sent the error is not known: the unspecified address stands for it.
    fn icmp(&self) -> (Vec<u8>, usize) {
        let (quoted, _) = Self { packet: WIRE_SYN, detail: 0, ..*self }.tcp();
        let ([kind, code], to) = (self.detail.to_be_bytes(), self.flow.src);
        let packet = if self.flow.is_ipv4() {
            let unknown = Icmpv4Type::Unknown { type_u8: kind, code_u8: code, bytes5to8: [0; 4] };
            let header = Icmpv4Header::with_checksum(unknown, &quoted).to_bytes();
            let from = Ipv4Addr::UNSPECIFIED.to_ipv6_mapped().octets();
            [&ip(from, to, IpNumber::ICMP, header.len() + quoted.len())[..], &header[..], &quoted[..]].concat()
        } else {
            let unknown = Icmpv6Type::Unknown { type_u8: kind, code_u8: code, bytes5to8: [0; 4] };
            let from = Ipv6Addr::UNSPECIFIED.octets();
            let header = Icmpv6Header::with_checksum(unknown, from, to, &quoted);
            let header = header.map(|header| header.to_bytes().to_vec()).unwrap_or_default();
            [&ip(from, to, IpNumber::IPV6_ICMP, header.len() + quoted.len())[..], &header[..], &quoted[..]].concat()
        };
        let original_len = packet.len();
        (packet, original_len)
    }
}

/// The header of an IPv4 packet where both addresses are IPv4.
fn ip(src: [u8; 16], dst: [u8; 16], protocol: IpNumber, payload_len: usize) -> Vec<u8> {
    let payload_len = payload_len as u16;
    if (Flow { src, dst, ..Flow::default() }).is_ipv4() {
        let header = Ipv4Header::new(payload_len, TTL, protocol, v4(src), v4(dst));
        header.map(|header| with_checksum(header).to_bytes().to_vec()).unwrap_or_default()
    } else {
        let header = Ipv6Header {
            traffic_class: 0,
            flow_label: Ipv6FlowLabel::ZERO,
            payload_length: payload_len,
            next_header: protocol,
            hop_limit: TTL,
            source: src,
            destination: dst,
        };
        header.to_bytes().to_vec()
    }
}

fn with_checksum(header: Ipv4Header) -> Ipv4Header {
    let header_checksum = header.calc_header_checksum();
    Ipv4Header { header_checksum, ..header }
}

const fn v4([.., a, b, c, d]: [u8; 16]) -> [u8; 4] {
    [a, b, c, d]
}

#[cfg(test)]
mod tests {
    use etherparse::{PacketHeaders, TransportHeader};

    use super::*;
    use crate::model::example::flow;

    const PACKETS: [(u8, u16, bool); 9] = [
        (WIRE_SYN, 0, true),
        (WIRE_SYN, WIRE_ECN | WIRE_FAST_OPEN, true),
        (WIRE_SYN, WIRE_MPTCP, true),
        (WIRE_SYN_ACK, 0, false),
        (WIRE_RST, 0, false),
        (WIRE_RST, 0, true),
        (WIRE_STRAY, 0x10, false),
        (WIRE_UNREACHABLE, 0x0301, false),
        (WIRE_UNREACHABLE, 0x0100, false),
    ];

    #[test]
    fn checksums_are_right() {
        let flows = [flow("10.42.0.7:5000", "203.0.113.80:443"), flow("[fd00::7]:5000", "[2001:db8::80]:443")];
        for flow in flows {
            for (packet, detail, is_egress) in PACKETS {
                let (bytes, len) = Seen { flow, isn: u32::MAX, packet, detail, is_egress }.rebuild();
                assert_eq!(bytes.len(), len);
                let read = PacketHeaders::from_ip_slice(&bytes).unwrap();
                let (net, payload) = (read.net.unwrap(), read.payload.slice());
                let (src, dst) = if packet == WIRE_UNREACHABLE { ([0; 16], flow.src) } else { (flow.src, flow.dst) };
                match (read.transport.unwrap(), net.ipv4_ref()) {
                    (TransportHeader::Tcp(tcp), Some((ip, _))) => {
                        assert_eq!(tcp.checksum, tcp.calc_checksum_ipv4(ip, payload).unwrap());
                        assert_eq!(ip.header_checksum, ip.calc_header_checksum());
                    }
                    (TransportHeader::Tcp(tcp), None) => {
                        assert_eq!(tcp.checksum, tcp.calc_checksum_ipv6_raw(src, dst, payload).unwrap());
                    }
                    (TransportHeader::Icmpv4(icmp), _) => {
                        assert_eq!(icmp.checksum, icmp.icmp_type.calc_checksum(payload));
                    }
                    (TransportHeader::Icmpv6(icmp), _) => {
                        assert_eq!(icmp.checksum, icmp.icmp_type.calc_checksum(src, dst, payload).unwrap());
                    }
                    (TransportHeader::Udp(_) | TransportHeader::Igmp(_), _) => unreachable!(),
                }
            }
        }
    }

    #[test]
    fn data_that_was_there_is_marked_as_cut() {
        let flow = flow("10.42.0.7:5000", "203.0.113.80:443");
        let (bytes, len) = Seen { flow, isn: 7, packet: WIRE_SYN, detail: WIRE_DATA, is_egress: true }.rebuild();
        assert_eq!((bytes.len(), len), (40, 41));
    }
}
