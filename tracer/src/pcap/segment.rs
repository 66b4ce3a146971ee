//! The TCP header of an IP packet, or the one that an ICMP error quotes: what TC reads of a packet that passes an interface.
//!
//! TCP and ICMP headers are read here and not by etherparse, which reads none that is cut: a capture may end in the options of a
//! SYN, and an ICMP error quotes eight bytes.

use etherparse::err::ip::LaxHeaderSliceError;
use etherparse::{IpNumber, LaxIpSlice};
use tracer_common::Flow;
use tracer_common::events::{WIRE_DATA, WIRE_ECN, WIRE_FAST_OPEN, WIRE_MPTCP, syn_shape};

/// Bits of the flags byte of a TCP header (RFC 9293, 3.1).
pub const TCP_SYN: u8 = 0x02;
pub const TCP_RST: u8 = 0x04;
pub const TCP_ACK: u8 = 0x10;
const TCP_ECE: u8 = 0x40;
const TCP_CWR: u8 = 0x80;
const TCP_HEADER_LEN: usize = 20;
/// A quoted packet that is longer is no SYN: IPv4 header and TCP header have at most 60 bytes each.
const MAX_SYN_LEN: u16 = 120;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpSegment {
    pub flow: Flow,
    pub seq: u32,
    pub ack: u32,
    /// None of a header that an ICMP error quotes.
    pub flags: u8,
    /// Type times 256 and code of the ICMP error that quotes the header; else zero.
    pub icmp: u16,
    /// `detail` of a SYN (`WIRE_ECN` and others).
    pub syn_bits: u16,
    /// `syn_shape` of a SYN.
    pub syn_shape: u64,
    /// Identification of an IPv4 packet; 0 of others.
    pub id: u16,
    pub ttl: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content<'a> {
    Tcp(TcpSegment),
    /// UDP, from the UDP header on.
    Udp(&'a [u8]),
    /// A protocol of no interest, a later fragment, or a packet that is damaged.
    Other,
    /// The packet was cut before the end of what is read.
    Cut,
}

struct Ip<'a> {
    /// Without ports
    flow: Flow,
    protocol: IpNumber,
    payload: &'a [u8],
    /// Bytes of the payload, captured or not
    payload_len: usize,
    id: u16,
    ttl: u8,
    is_cut: bool,
}

impl<'a> Ip<'a> {
    fn read(packet: &'a [u8]) -> Result<Self, Content<'a>> {
        let (ip, _) = LaxIpSlice::from_slice(packet).map_err(|error| match error {
            LaxHeaderSliceError::Len(_) => Content::Cut,
            LaxHeaderSliceError::Content(_) => Content::Other,
        })?;
        let payload = ip.payload();
        if payload.fragmented {
            return Err(Content::Other);
        }
        let (flow, id, ttl, packet_len) = match &ip {
            LaxIpSlice::Ipv4(ip) => {
                let header = ip.header();
                let flow = Flow { src: mapped(header.source()), dst: mapped(header.destination()), ..Flow::default() };
                (flow, header.identification(), header.ttl(), usize::from(header.total_len()))
            }
            LaxIpSlice::Ipv6(ip) => {
                let header = ip.header();
                let flow = Flow { src: header.source(), dst: header.destination(), ..Flow::default() };
                (flow, 0, header.hop_limit(), 40 + usize::from(header.payload_length()))
            }
        };
        let headers_len = payload.payload.as_ptr().addr().saturating_sub(packet.as_ptr().addr());
        let payload_len = packet_len.saturating_sub(headers_len);
        let is_cut = payload.incomplete;
        Ok(Self { flow, protocol: payload.ip_number, payload: payload.payload, payload_len, id, ttl, is_cut })
    }
}

#[inline]
pub fn read(packet: &[u8]) -> Content<'_> {
    let ip = match Ip::read(packet) {
        Ok(ip) => ip,
        Err(content) => return content,
    };
    match ip.protocol {
        IpNumber::TCP => tcp(&ip).map_or(Content::Cut, Content::Tcp),
        IpNumber::UDP => Content::Udp(ip.payload),
        // Destination unreachable or time exceeded (RFC 792).
        IpNumber::ICMP => error(&ip, |kind| matches!(kind, 3 | 11)),
        // Destination unreachable, packet too big or time exceeded (RFC 4443).
        IpNumber::IPV6_ICMP => error(&ip, |kind| matches!(kind, 1..=3)),
        _ if ip.is_cut && ip.payload.is_empty() => Content::Cut,
        _ => Content::Other,
    }
}

fn tcp(ip: &Ip<'_>) -> Option<TcpSegment> {
    let (header, _) = ip.payload.split_first_chunk::<14>()?;
    let segment = TcpSegment { flags: header[13], ..quoted(ip, 0)? };
    let ack = u32::from_be_bytes([header[8], header[9], header[10], header[11]]);
    if segment.flags & TCP_SYN == 0 {
        return Some(TcpSegment { ack, ..segment });
    }
    let header_len = usize::from(header[12] >> 4) * 4;
    let options = ip.payload.get(TCP_HEADER_LEN..header_len.min(ip.payload.len())).unwrap_or_default();
    let bit = |is_set: bool, bit: u16| if is_set { bit } else { 0 };
    let asks_for_ecn = segment.flags & (TCP_ECE | TCP_CWR) == TCP_ECE | TCP_CWR;
    let syn_bits = bit(asks_for_ecn, WIRE_ECN) | bit(ip.payload_len > header_len, WIRE_DATA) | option_bits(options);
    let word = |at: usize| options.get(at..).and_then(<[u8]>::first_chunk).copied().unwrap_or_default();
    let shape = ip.payload.first_chunk().map_or(0, |header| syn_shape(*header, [0, 4].map(word)));
    Some(TcpSegment { ack, syn_bits, syn_shape: shape, ..segment })
}

/// The first eight bytes of a TCP header.
fn quoted(ip: &Ip<'_>, icmp: u16) -> Option<TcpSegment> {
    let (header, _) = ip.payload.split_first_chunk::<8>()?;
    let [src_high, src_low, dst_high, dst_low, a, b, c, d] = *header;
    let (src_port, dst_port) = (u16::from_be_bytes([src_high, src_low]), u16::from_be_bytes([dst_high, dst_low]));
    Some(TcpSegment {
        flow: Flow { src_port, dst_port, ..ip.flow },
        seq: u32::from_be_bytes([a, b, c, d]),
        ack: 0,
        flags: 0,
        icmp,
        syn_bits: 0,
        syn_shape: 0,
        id: ip.id,
        ttl: ip.ttl,
    })
}

/// What an ICMP error quotes, if that may be a SYN.
fn error<'a>(ip: &Ip<'a>, is_error: impl Fn(u8) -> bool) -> Content<'a> {
    let Some((header, packet)) = ip.payload.split_first_chunk::<8>() else { return Content::Cut };
    if !is_error(header[0]) {
        return Content::Other;
    }
    let Ok(inside) = Ip::read(packet) else { return Content::Other };
    let is_long = inside.payload_len > usize::from(MAX_SYN_LEN);
    let is_no_syn = inside.payload.get(13).is_some_and(|flags| flags & (TCP_SYN | TCP_ACK) != TCP_SYN);
    if inside.protocol != IpNumber::TCP || is_long || is_no_syn {
        return Content::Other;
    }
    quoted(&inside, u16::from_be_bytes([header[0], header[1]])).map_or(Content::Cut, Content::Tcp)
}

/// Fast Open (RFC 7413; before it had a number, RFC 6994 had it in kind 254 with an identifier) and MPTCP (RFC 8684).
fn option_bits(mut options: &[u8]) -> u16 {
    let mut bits = 0;
    loop {
        bits |= match *options {
            [34, ..] | [254, _, 0xf9, 0x89, ..] => WIRE_FAST_OPEN,
            [30, ..] => WIRE_MPTCP,
            _ => 0,
        };
        match *options {
            // Padding
            [1, ref rest @ ..] => options = rest,
            [kind, len, ..] if kind != 0 && len >= 2 => options = options.get(usize::from(len)..).unwrap_or_default(),
            _ => return bits,
        }
    }
}

fn mapped([a, b, c, d]: [u8; 4]) -> [u8; 16] {
    [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d]
}
