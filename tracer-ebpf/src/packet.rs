//! Finds the TCP header of a packet on an interface, or the one that an ICMP error quotes. Leaves at the first sign that it
//! is not of interest.

use aya_ebpf::programs::TcContext;
use tracer_common::Flow;

/// Bytes of an Ethernet header.
pub const ETHERNET: usize = 14;
/// Bytes of an 802.1Q tag.
const VLAN_TAG: usize = 4;
/// Bytes of an IPv4 header without options, of an IPv6 header, and of a TCP header as far as it is read.
const IPV4: usize = 20;
const IPV6: usize = 40;
const TCP: usize = 14;

const ETH_P_IP: u16 = 0x0800;
const ETH_P_IPV6: u16 = 0x86dd;
const ETH_P_8021Q: u16 = 0x8100;
const ETH_P_8021AD: u16 = 0x88a8;
const IPPROTO_ICMP: u8 = 1;
const IPPROTO_TCP: u8 = 6;
const IPPROTO_ICMPV6: u8 = 58;
/// Bytes of an ICMP error before the packet it quotes, and of a TCP header that it quotes at least.
const ICMP: usize = 8;
const QUOTED: usize = 8;
/// A quoted packet that is longer is no SYN: IPv4 header and TCP header have at most 60 bytes each.
const LONGEST_SYN: u16 = 120;

/// Bits of the flags byte of a TCP header (RFC 9293, 3.1).
pub const TCP_SYN: u8 = 0x02;
pub const TCP_RST: u8 = 0x04;
pub const TCP_ACK: u8 = 0x10;

/// What comes before an IPv4 address in its IPv4-mapped form, and room for it.
const MAPPED: [u8; 16] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0];

/// What is wanted of a TCP header.
pub struct Tcp {
    pub flow: Flow,
    pub seq: u32,
    pub ack: u32,
    pub flags: u8,
    /// Type times 256 and code of the ICMP error that quotes the header; else zero. Then there are no flags.
    pub icmp: u16,
}

/// Index of the interface that the packet passes.
#[inline(always)]
pub fn ifindex(ctx: &TcContext) -> u32 {
    // SAFETY: the context is valid while the program runs, and the verifier checks the field.
    unsafe { (*ctx.skb.skb).ifindex }
}

/// The TCP header, if the packet has one with SYN or RST.
#[inline(always)]
pub fn tcp<const LINK_HEADER: usize>(ctx: &TcContext) -> Option<Tcp> {
    let linear = Linear { data: ctx.data(), end: ctx.data_end() };
    let ethertype = u16::from_be(ctx.skb.protocol() as u16);
    // A driver may leave all but the link header in fragments; what is not linear has to be copied.
    match linear.view::<IPV4>(LINK_HEADER, &mut [0; IPV4]) {
        Some(_) => parse::<LINK_HEADER>(&linear, ethertype),
        None => parse::<LINK_HEADER>(&Copied(ctx), ethertype),
    }
}

/// Bytes of a packet.
trait Bytes {
    /// `N` bytes from `offset`, checked once; `copy` is there for those that are not in one piece.
    fn view<'a, const N: usize>(&'a self, offset: usize, copy: &'a mut [u8; N]) -> Option<&'a [u8; N]>;
}

/// Direct packet access.
struct Linear {
    data: usize,
    end: usize,
}

impl Bytes for Linear {
    #[inline(always)]
    fn view<'a, const N: usize>(&'a self, offset: usize, _copy: &'a mut [u8; N]) -> Option<&'a [u8; N]> {
        let start = self.data + offset;
        if start + N > self.end {
            return None;
        }
        // SAFETY: the bounds were checked, bytes have no alignment, and the packet stays while the program runs.
        Some(unsafe { &*(start as *const [u8; N]) })
    }
}

/// Access through a helper that also reads fragments.
struct Copied<'a>(&'a TcContext);

impl Bytes for Copied<'_> {
    #[inline(always)]
    fn view<'a, const N: usize>(&'a self, offset: usize, copy: &'a mut [u8; N]) -> Option<&'a [u8; N]> {
        *copy = self.0.load(offset).ok()?;
        Some(copy)
    }
}

#[inline(always)]
fn parse<const LINK_HEADER: usize>(packet: &impl Bytes, ethertype: u16) -> Option<Tcp> {
    match ethertype {
        ETH_P_IP => ipv4(packet, LINK_HEADER),
        ETH_P_IPV6 => ipv6(packet, LINK_HEADER),
        // Tags that the interface did not strip; two at most.
        ETH_P_8021Q | ETH_P_8021AD if LINK_HEADER == ETHERNET => match tagged(packet, ETHERNET)? {
            ETH_P_IP => ipv4(packet, ETHERNET + VLAN_TAG),
            ETH_P_IPV6 => ipv6(packet, ETHERNET + VLAN_TAG),
            ETH_P_8021Q => match tagged(packet, ETHERNET + VLAN_TAG)? {
                ETH_P_IP => ipv4(packet, ETHERNET + 2 * VLAN_TAG),
                ETH_P_IPV6 => ipv6(packet, ETHERNET + 2 * VLAN_TAG),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    }
}

/// The ethertype behind a tag.
#[inline(always)]
fn tagged(packet: &impl Bytes, at: usize) -> Option<u16> {
    let mut copy = [0; VLAN_TAG];
    let [_, _, high, low] = *packet.view(at, &mut copy)?;
    Some(u16::from_be_bytes([high, low]))
}

#[inline(always)]
fn ipv4(packet: &impl Bytes, at: usize) -> Option<Tcp> {
    /// Only the first fragment has the TCP header.
    const FRAGMENT_OFFSET: u16 = 0x1fff;
    let mut copy = [0; IPV4];
    let ip = packet.view(at, &mut copy)?;
    let header = usize::from(ip[0] & 0x0f) * 4;
    if ip[9] != IPPROTO_TCP || be16(ip, 6) & FRAGMENT_OFFSET != 0 {
        return if ip[9] == IPPROTO_ICMP { icmp(packet, at + header) } else { None };
    }
    let (mut src, mut dst) = (MAPPED, MAPPED);
    header_at(packet, at + header, || {
        src[12..].copy_from_slice(&ip[12..16]);
        dst[12..].copy_from_slice(&ip[16..20]);
        (src, dst)
    })
}

#[inline(always)]
fn ipv6(packet: &impl Bytes, at: usize) -> Option<Tcp> {
    let mut copy = [0; IPV6];
    let ip = packet.view(at, &mut copy)?;
    if ip[6] != IPPROTO_TCP {
        return if ip[6] == IPPROTO_ICMPV6 { icmpv6(packet, at + IPV6) } else { None };
    }
    let (mut src, mut dst) = ([0; 16], [0; 16]);
    header_at(packet, at + IPV6, || {
        src.copy_from_slice(&ip[8..24]);
        dst.copy_from_slice(&ip[24..40]);
        (src, dst)
    })
}

/// Nearly all packets leave here: they have neither SYN nor RST.
#[inline(always)]
fn header_at(packet: &impl Bytes, at: usize, addrs: impl FnOnce() -> ([u8; 16], [u8; 16])) -> Option<Tcp> {
    let mut copy = [0; TCP];
    let tcp = packet.view(at, &mut copy)?;
    let flags = tcp[13];
    if flags & (TCP_SYN | TCP_RST) == 0 {
        return None;
    }
    let (src, dst) = addrs();
    let flow = Flow { src, dst, src_port: be16(tcp, 0), dst_port: be16(tcp, 2) };
    Some(Tcp { flow, seq: be32(tcp, 4), ack: be32(tcp, 8), flags, icmp: 0 })
}

/// Destination unreachable (3) or time exceeded (11), RFC 792.
#[inline(always)]
fn icmp(packet: &impl Bytes, at: usize) -> Option<Tcp> {
    let mut copy = [0; ICMP];
    let error = packet.view(at, &mut copy)?;
    if error[0] != 3 && error[0] != 11 {
        return None;
    }
    let mut copy = [0; IPV4];
    let ip = packet.view(at + ICMP, &mut copy)?;
    if ip[9] != IPPROTO_TCP || be16(ip, 2) > LONGEST_SYN {
        return None;
    }
    let (mut src, mut dst) = (MAPPED, MAPPED);
    src[12..].copy_from_slice(&ip[12..16]);
    dst[12..].copy_from_slice(&ip[16..20]);
    quoted(packet, at + ICMP + usize::from(ip[0] & 0x0f) * 4, src, dst, be16(error, 0))
}

/// Destination unreachable (1), packet too big (2) or time exceeded (3), RFC 4443.
#[inline(always)]
fn icmpv6(packet: &impl Bytes, at: usize) -> Option<Tcp> {
    let mut copy = [0; ICMP];
    let error = packet.view(at, &mut copy)?;
    if error[0] == 0 || error[0] > 3 {
        return None;
    }
    let mut copy = [0; IPV6];
    let ip = packet.view(at + ICMP, &mut copy)?;
    if ip[6] != IPPROTO_TCP || be16(ip, 4) > LONGEST_SYN {
        return None;
    }
    let (mut src, mut dst) = ([0; 16], [0; 16]);
    src.copy_from_slice(&ip[8..24]);
    dst.copy_from_slice(&ip[24..40]);
    quoted(packet, at + ICMP + IPV6, src, dst, be16(error, 0))
}

#[inline(always)]
fn quoted(packet: &impl Bytes, at: usize, src: [u8; 16], dst: [u8; 16], icmp: u16) -> Option<Tcp> {
    let mut copy = [0; QUOTED];
    let tcp = packet.view(at, &mut copy)?;
    let flow = Flow { src, dst, src_port: be16(tcp, 0), dst_port: be16(tcp, 2) };
    Some(Tcp { flow, seq: be32(tcp, 4), ack: 0, flags: 0, icmp })
}

#[inline(always)]
fn be16<const N: usize>(bytes: &[u8; N], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

#[inline(always)]
fn be32<const N: usize>(bytes: &[u8; N], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
