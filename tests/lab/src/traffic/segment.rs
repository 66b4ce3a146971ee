//! The few TCP segments that the raw client sends and reads.

use std::net::SocketAddrV4;

const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const ACK: u8 = 0x10;
const LENGTH: usize = 20;

/// A SYN.
pub(super) fn syn(src: SocketAddrV4, dst: SocketAddrV4, isn: u32) -> [u8; LENGTH] {
    segment(src, dst, isn, SYN)
}

/// The RST by which a client abandons its connection.
pub(super) fn rst(src: SocketAddrV4, dst: SocketAddrV4, sequence: u32) -> [u8; LENGTH] {
    segment(src, dst, sequence, RST)
}

fn segment(src: SocketAddrV4, dst: SocketAddrV4, sequence: u32, flags: u8) -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    bytes[0..2].copy_from_slice(&src.port().to_be_bytes());
    bytes[2..4].copy_from_slice(&dst.port().to_be_bytes());
    bytes[4..8].copy_from_slice(&sequence.to_be_bytes());
    // Header length in 32-bit words.
    bytes[12] = 5 << 4;
    bytes[13] = flags;
    bytes[14..16].copy_from_slice(&u16::MAX.to_be_bytes());
    let sum = checksum(src, dst, &bytes);
    bytes[16..18].copy_from_slice(&sum.to_be_bytes());
    bytes
}

/// RFC 9293, 3.1: the ones' complement sum over pseudo-header and segment.
fn checksum(src: SocketAddrV4, dst: SocketAddrV4, bytes: &[u8; LENGTH]) -> u16 {
    let words = |bytes: &[u8]| -> u32 {
        bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0))).sum()
    };
    let protocol_and_length = 6 + 20;
    let sum = words(&src.ip().octets()) + words(&dst.ip().octets()) + protocol_and_length + words(bytes);
    let folded = (sum & 0xffff) + (sum >> 16);
    let [.., high, low] = (folded + (folded >> 16)).to_be_bytes();
    !u16::from_be_bytes([high, low])
}

/// The fields of a SYN-ACK that the client needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SynAck {
    /// The client's port.
    pub port: u16,
    /// The client's ISN: one less than the acknowledged number.
    pub isn: u32,
}

/// Reads an IPv4 packet; `None` unless it is a SYN-ACK.
pub(super) fn parse_syn_ack(packet: &[u8]) -> Option<SynAck> {
    let header = usize::from(packet.first()? & 0xf) * 4;
    let tcp = packet.get(header..header + LENGTH)?;
    (tcp[13] & (SYN | ACK | RST) == SYN | ACK).then(|| SynAck {
        port: u16::from_be_bytes([tcp[2], tcp[3]]),
        isn: u32::from_be_bytes([tcp[8], tcp[9], tcp[10], tcp[11]]).wrapping_sub(1),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses() -> (SocketAddrV4, SocketAddrV4) {
        ("10.7.1.10:40000".parse().unwrap(), "10.7.192.10:8080".parse().unwrap())
    }

    #[test]
    fn the_checksum_is_the_one_another_implementation_has() {
        let (src, dst) = addresses();
        assert_eq!(syn(src, dst, 0xdead_beef)[16..18], 0x8152_u16.to_be_bytes());
    }

    #[test]
    fn a_syn_ack_is_read_with_the_isn_it_acknowledges() {
        let mut packet = vec![0x45; 1];
        packet.resize(20, 0);
        let (src, dst) = addresses();
        let mut tcp = segment(dst, src, 77, SYN | ACK);
        tcp[8..12].copy_from_slice(&0_u32.to_be_bytes());
        packet.extend(tcp);
        assert_eq!(parse_syn_ack(&packet), Some(SynAck { port: 40000, isn: u32::MAX }));
    }

    #[test]
    fn other_segments_and_torn_packets_are_no_syn_ack() {
        let (src, dst) = addresses();
        let mut packet = vec![0x45; 1];
        packet.resize(20, 0);
        packet.extend(syn(src, dst, 1));
        assert_eq!(parse_syn_ack(&packet), None);
        assert_eq!(parse_syn_ack(&packet[..30]), None);
        assert_eq!(parse_syn_ack(&[]), None);
    }
}
