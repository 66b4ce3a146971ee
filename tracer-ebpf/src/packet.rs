//! Finds the TCP header of a packet on an interface. Leaves at the first sign that it is not of interest.

use aya_ebpf::programs::TcContext;
use tracer_common::Flow;

/// Bytes of an Ethernet header.
pub const ETHERNET: usize = 14;
/// Bytes of an 802.1Q tag.
const VLAN_TAG: usize = 4;

const ETH_P_IP: u16 = 0x0800;
const ETH_P_IPV6: u16 = 0x86dd;
const ETH_P_8021Q: u16 = 0x8100;
const ETH_P_8021AD: u16 = 0x88a8;
const IPPROTO_TCP: u8 = 6;

/// Bits of the flags byte of a TCP header (RFC 9293, 3.1).
pub const TCP_SYN: u8 = 0x02;
pub const TCP_RST: u8 = 0x04;
pub const TCP_ACK: u8 = 0x10;

/// What is wanted of a TCP header.
pub struct Tcp {
    pub flow: Flow,
    pub seq: u32,
    pub ack: u32,
    pub flags: u8,
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
    match linear.get::<[u8; 40]>(LINK_HEADER) {
        Some(_) => parse::<LINK_HEADER>(&linear, ethertype),
        None => parse::<LINK_HEADER>(&Copied(ctx), ethertype),
    }
}

/// Bytes of a packet.
trait Bytes {
    fn get<T: Copy>(&self, offset: usize) -> Option<T>;
}

/// Direct packet access.
struct Linear {
    data: usize,
    end: usize,
}

impl Bytes for Linear {
    #[inline(always)]
    fn get<T: Copy>(&self, offset: usize) -> Option<T> {
        let start = self.data + offset;
        if start + size_of::<T>() > self.end {
            return None;
        }
        // SAFETY: the bounds were checked, and every T used here is valid for any bytes.
        Some(unsafe { (start as *const T).read_unaligned() })
    }
}

/// Access through a helper that also reads fragments.
struct Copied<'a>(&'a TcContext);

impl Bytes for Copied<'_> {
    #[inline(always)]
    fn get<T: Copy>(&self, offset: usize) -> Option<T> {
        self.0.load(offset).ok()
    }
}

#[inline(always)]
fn parse<const LINK_HEADER: usize>(packet: &impl Bytes, ethertype: u16) -> Option<Tcp> {
    match ethertype {
        ETH_P_IP => ipv4(packet, LINK_HEADER),
        ETH_P_IPV6 => ipv6(packet, LINK_HEADER),
        // Tags that the interface did not strip; two at most.
        ETH_P_8021Q | ETH_P_8021AD if LINK_HEADER == ETHERNET => match be16(packet, ETHERNET + 2)? {
            ETH_P_IP => ipv4(packet, ETHERNET + VLAN_TAG),
            ETH_P_IPV6 => ipv6(packet, ETHERNET + VLAN_TAG),
            ETH_P_8021Q => match be16(packet, ETHERNET + VLAN_TAG + 2)? {
                ETH_P_IP => ipv4(packet, ETHERNET + 2 * VLAN_TAG),
                ETH_P_IPV6 => ipv6(packet, ETHERNET + 2 * VLAN_TAG),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    }
}

#[inline(always)]
fn ipv4(packet: &impl Bytes, at: usize) -> Option<Tcp> {
    /// More fragments may follow, but only the first has the TCP header.
    const FRAGMENT_OFFSET: u16 = 0x1fff;
    if packet.get::<u8>(at + 9)? != IPPROTO_TCP || be16(packet, at + 6)? & FRAGMENT_OFFSET != 0 {
        return None;
    }
    let header = usize::from(packet.get::<u8>(at)? & 0x0f) * 4;
    let flags = flags(packet, at + header)?;
    let addrs: [[u8; 4]; 2] = packet.get(at + 12)?;
    header_at(packet, at + header, mapped(addrs[0]), mapped(addrs[1]), flags)
}

#[inline(always)]
fn ipv6(packet: &impl Bytes, at: usize) -> Option<Tcp> {
    const HEADER: usize = 40;
    if packet.get::<u8>(at + 6)? != IPPROTO_TCP {
        return None;
    }
    let flags = flags(packet, at + HEADER)?;
    let addrs: [[u8; 16]; 2] = packet.get(at + 8)?;
    header_at(packet, at + HEADER, addrs[0], addrs[1], flags)
}

/// The flags byte, if SYN or RST is set: nearly all packets leave here.
#[inline(always)]
fn flags(packet: &impl Bytes, tcp: usize) -> Option<u8> {
    let flags: u8 = packet.get(tcp + 13)?;
    (flags & (TCP_SYN | TCP_RST) != 0).then_some(flags)
}

#[inline(always)]
fn header_at(packet: &impl Bytes, tcp: usize, src: [u8; 16], dst: [u8; 16], flags: u8) -> Option<Tcp> {
    let flow = Flow { src, dst, src_port: be16(packet, tcp)?, dst_port: be16(packet, tcp + 2)? };
    Some(Tcp { flow, seq: be32(packet, tcp + 4)?, ack: be32(packet, tcp + 8)?, flags })
}

#[inline(always)]
fn be16(packet: &impl Bytes, offset: usize) -> Option<u16> {
    packet.get(offset).map(u16::from_be)
}

#[inline(always)]
fn be32(packet: &impl Bytes, offset: usize) -> Option<u32> {
    packet.get(offset).map(u32::from_be)
}

#[inline(always)]
fn mapped(addr: [u8; 4]) -> [u8; 16] {
    let [a, b, c, d] = addr;
    [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d]
}
