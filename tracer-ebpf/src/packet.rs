//! Finds the TCP header of a packet, or the one that an ICMP error quotes; leaves at the first sign that it is not of interest.

use aya_ebpf::programs::TcContext;
use bytemuck::{Pod, Zeroable as _};
use tracer_common::Flow;
use tracer_common::events::{WIRE_DATA, WIRE_ECN, WIRE_INGRESS, packet_class, syn_shape};

use crate::address::mapped;
use crate::extensions;
use crate::kernel::globals::WIRE_READS;
use crate::kernel::skb::{Device, Skb};
use crate::options::{self, TCP_HEADER};

/// Bytes of an Ethernet header.
pub const ETHERNET: usize = 14;
/// Bytes of an 802.1Q tag, of an IPv6 header, and of an ICMP error before the packet it quotes.
const VLAN_TAG: usize = 4;
const IPV6: usize = 40;
const ICMP: usize = 8;

const ETH_P_IP: u16 = 0x0800;
const ETH_P_IPV6: u16 = 0x86dd;
const ETH_P_8021Q: u16 = 0x8100;
const ETH_P_8021AD: u16 = 0x88a8;
const IPPROTO_ICMP: u8 = 1;
const IPPROTO_TCP: u8 = 6;
const IPPROTO_ICMPV6: u8 = 58;
/// `PACKET_OTHERHOST` (linux/if_packet.h, UAPI)
const OTHERHOST: u32 = 3;
/// A quoted packet that is longer is no SYN: IPv4 header and TCP header have at most 60 bytes each.
const LONGEST_SYN: u16 = 120;

/// Bits of the flags byte of a TCP header (RFC 9293, 3.1).
pub const TCP_SYN: u8 = 0x02;
pub const TCP_RST: u8 = 0x04;
pub const TCP_ACK: u8 = 0x10;
const TCP_ECE: u8 = 0x40;
const TCP_CWR: u8 = 0x80;

/// What is wanted of a TCP header.
pub struct Tcp {
    pub flow: Flow,
    pub seq: u32,
    pub ack: u32,
    pub flags: u8,
    /// Type times 256 and code of the ICMP error that quotes the header; else zero. Then there are no flags.
    pub icmp: u16,
    /// Where the header begins in the packet
    pub at: u32,
    /// Bytes of the header, options included
    pub header_len: u32,
}

impl Tcp {
    /// `detail` of a SYN, but for [`WIRE_OWN`](tracer_common::events::WIRE_OWN).
    #[inline(always)]
    pub fn syn_bits(&self, has_data: bool, options: u16) -> u16 {
        let asks_for_ecn = self.flags & (TCP_ECE | TCP_CWR) == TCP_ECE | TCP_CWR;
        let bit = |is_set: bool, bit: u16| if is_set { bit } else { 0 };
        bit(asks_for_ecn, WIRE_ECN) | bit(has_data, WIRE_DATA) | options
    }
}

/// `detail` of a SYN, as far as its header has it.
#[inline(always)]
pub fn syn_bits(ctx: &TcContext, tcp: &Tcp) -> u16 {
    // A card pads what is shorter.
    const SHORTEST_FRAME: u32 = 60;
    let len = ctx.len();
    let has_data = len > SHORTEST_FRAME && len > tcp.at + tcp.header_len;
    let word = |at: u32| ctx.load::<[u8; 4]>((tcp.at + TCP_HEADER + at) as usize).ok();
    tcp.syn_bits(has_data, options::bits(tcp.header_len, word))
}

/// The class of a SYN that leaves, in its place in `detail`.
#[inline(always)]
pub fn class(ctx: &TcContext, link_header: usize, tcp: &Tcp) -> u16 {
    let next_hop = if link_header == ETHERNET { ctx.load(0).unwrap_or_default() } else { [0; 6] };
    let (Ok(ip), Ok(header)) = (ctx.load(link_header), ctx.load(tcp.at as usize)) else { return 0 };
    let option = |at: u32| ctx.load((tcp.at + TCP_HEADER + at) as usize).unwrap_or_default();
    packet_class(next_hop, ip, syn_shape(header, [0, 4].map(option)))
}

/// Index of the interface that the packet passes.
#[inline(always)]
pub fn ifindex(ctx: &TcContext) -> u32 {
    // SAFETY: the context is valid while the program runs, and the verifier checks the field.
    unsafe { (*ctx.skb.skb).ifindex }
}

/// Index of the interface that received it; 0 where none did.
#[inline(always)]
pub fn received_by(ctx: &TcContext) -> u32 {
    // SAFETY: the context is valid while the program runs, and the verifier checks the field.
    unsafe { (*ctx.skb.skb).ingress_ifindex }
}

/// Whether the packet's MAC address is that of another host: not of one behind this interface.
#[inline(always)]
pub fn is_for_other_host(ctx: &TcContext) -> bool {
    // SAFETY: the context is valid while the program runs, and the verifier checks the field.
    let is_other = unsafe { (*ctx.skb.skb).pkt_type == OTHERHOST };
    is_other && WIRE_READS.load() != 0 && Skb::new(ctx.skb.skb).device().is_some_and(Device::keeps_packets)
}

/// Whether the packet is still its socket's and has the socket's addresses and ports. A packet that is forwarded has lost its
/// socket (`skb_orphan()` in `ip_rcv_core()` and `ip6_rcv_core()`).
#[inline(always)]
pub fn is_of_its_socket(ctx: &TcContext, flow: &Flow) -> bool {
    // SAFETY: the context is valid while the program runs, and the verifier checks the field.
    let socket = unsafe { (*ctx.skb.skb).__bindgen_anon_2.sk };
    if socket.is_null() {
        return false;
    }
    // SAFETY: not null, valid as long as the packet, and the verifier checks every field.
    let (src4, dst4, src_port, dst_port) =
        unsafe { ((*socket).src_ip4, (*socket).dst_ip4, (*socket).src_port, (*socket).dst_port) };
    // SAFETY: as above.
    let (src6, dst6) = unsafe { ((*socket).src_ip6, (*socket).dst_ip6) };
    // A socket of IPv6 that speaks IPv4 has both.
    (flow.src == mapped(src4) && flow.dst == mapped(dst4)
        || flow.src == bytemuck::cast::<_, [u8; 16]>(src6) && flow.dst == bytemuck::cast::<_, [u8; 16]>(dst6))
        && u32::from(flow.src_port) == src_port
        && flow.dst_port == u16::from_be(dst_port)
}

/// The port of this side of what nearly all packets are: TCP over IPv4 without options, neither SYN nor RST. Bits of a later
/// fragment mean nothing, but such a packet is not reported either way.
#[inline(always)]
pub fn dull_port<const LINK_HEADER: usize, const DIRECTION: u8>(ctx: &TcContext) -> Option<u16> {
    /// IPv4, and TCP as far as its flags.
    type Headers = [[u8; 2]; 17];
    const VERSION_4_WITHOUT_OPTIONS: u8 = 0x45;
    let (linear, mut unused) = (Linear::of(ctx), Headers::zeroed());
    let headers = linear.view::<Headers>(LINK_HEADER, &mut unused)?;
    let is_dull = ethertype_be(ctx) == ETH_P_IP.to_be()
        && headers[0][0] == VERSION_4_WITHOUT_OPTIONS
        && headers[4][1] == IPPROTO_TCP
        && headers[16][1] & (TCP_SYN | TCP_RST) == 0;
    is_dull.then(|| u16::from_be_bytes(headers[if DIRECTION == WIRE_INGRESS { 11 } else { 10 }]))
}

/// The TCP header, if the packet has one with one of the wanted flags.
#[inline(always)]
pub fn tcp<const LINK_HEADER: usize>(ctx: &TcContext, wanted: u8) -> Option<Tcp> {
    let (linear, ethertype) = (Linear::of(ctx), u16::from_be(ethertype_be(ctx)));
    // A driver may leave all but the link header in fragments; what is not linear has to be copied.
    match linear.view::<Ipv4>(LINK_HEADER, &mut Ipv4::zeroed()) {
        Some(_) => parse::<LINK_HEADER>(&linear, ethertype, wanted),
        None => parse::<LINK_HEADER>(&Copied(ctx), ethertype, wanted),
    }
}

/// In network byte order.
#[inline(always)]
fn ethertype_be(ctx: &TcContext) -> u16 {
    ctx.skb.protocol() as u16
}

/// Headers, of halves of a word: that much is aligned in every packet. In network byte order.
type Tag = [u16; 2];
type Ipv4 = [u16; 10];
type Ipv6 = [u16; 20];
type IcmpHeader = [u16; 4];
/// As far as it is read.
type TcpHeader = [u16; 7];
/// What an ICMP error quotes at least.
type Quoted = [u16; 4];

/// A packet.
trait Packet {
    /// A header at `offset`, checked once; `copy` is there for one that is not in one piece.
    fn view<'a, T: Pod>(&'a self, offset: usize, copy: &'a mut T) -> Option<&'a T>;

    /// The same packet, where offsets are not known beforehand.
    fn copied(&self) -> Copied<'_>;
}

/// Direct packet access.
struct Linear<'a> {
    ctx: &'a TcContext,
    data: usize,
    end: usize,
}

impl<'a> Linear<'a> {
    #[inline(always)]
    fn of(ctx: &'a TcContext) -> Self {
        Self { ctx, data: ctx.data(), end: ctx.data_end() }
    }
}

impl Packet for Linear<'_> {
    #[inline(always)]
    fn copied(&self) -> Copied<'_> {
        Copied(self.ctx)
    }

    #[inline(always)]
    fn view<'a, T: Pod>(&'a self, offset: usize, _copy: &'a mut T) -> Option<&'a T> {
        const { assert!(align_of::<T>() <= 2) };
        let start = self.data + offset;
        if start + size_of::<T>() > self.end {
            return None;
        }
        // SAFETY: the bounds were checked, headers lie at even addresses, and the packet stays while the program runs.
        Some(unsafe { &*(start as *const T) })
    }
}

/// Access through a helper that also reads fragments.
struct Copied<'a>(&'a TcContext);

impl Packet for Copied<'_> {
    #[inline(always)]
    fn copied(&self) -> Copied<'_> {
        Copied(self.0)
    }

    #[inline(always)]
    fn view<'a, T: Pod>(&'a self, offset: usize, copy: &'a mut T) -> Option<&'a T> {
        *copy = self.0.load(offset).ok()?;
        Some(copy)
    }
}

#[inline(always)]
fn parse<const LINK_HEADER: usize>(packet: &impl Packet, ethertype: u16, wanted: u8) -> Option<Tcp> {
    match ethertype {
        ETH_P_IP => ipv4(packet, LINK_HEADER, wanted),
        ETH_P_IPV6 => ipv6(packet, LINK_HEADER, wanted),
        // Tags that the interface did not strip; two at most.
        ETH_P_8021Q | ETH_P_8021AD if LINK_HEADER == ETHERNET => match tagged(packet, ETHERNET)? {
            ETH_P_IP => ipv4(packet, ETHERNET + VLAN_TAG, wanted),
            ETH_P_IPV6 => ipv6(packet, ETHERNET + VLAN_TAG, wanted),
            ETH_P_8021Q => match tagged(packet, ETHERNET + VLAN_TAG)? {
                ETH_P_IP => ipv4(packet, ETHERNET + 2 * VLAN_TAG, wanted),
                ETH_P_IPV6 => ipv6(packet, ETHERNET + 2 * VLAN_TAG, wanted),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    }
}

/// The ethertype behind a tag.
#[inline(always)]
fn tagged(packet: &impl Packet, at: usize) -> Option<u16> {
    let mut copy = Tag::zeroed();
    let tag = packet.view(at, &mut copy)?;
    Some(u16::from_be(tag[1]))
}

#[inline(always)]
fn ipv4(packet: &impl Packet, at: usize, wanted: u8) -> Option<Tcp> {
    /// Only the first fragment has the TCP header.
    const FRAGMENT_OFFSET: u16 = 0x1fff;
    let mut copy = Ipv4::zeroed();
    let ip = packet.view(at, &mut copy)?;
    let protocol = second(ip[4]);
    if protocol != IPPROTO_TCP || u16::from_be(ip[3]) & FRAGMENT_OFFSET != 0 {
        return if protocol == IPPROTO_ICMP { icmp(packet, at + ipv4_len(ip)) } else { None };
    }
    header_at(packet, at + ipv4_len(ip), wanted, || ipv4_addrs(ip))
}

#[inline(always)]
fn ipv6(packet: &impl Packet, at: usize, wanted: u8) -> Option<Tcp> {
    let mut copy = Ipv6::zeroed();
    let ip = packet.view(at, &mut copy)?;
    let protocol = first(ip[3]);
    if protocol != IPPROTO_TCP {
        return match protocol {
            IPPROTO_ICMPV6 => icmpv6(packet, at + IPV6),
            _ if extensions::is_one(protocol) => {
                let packet = packet.copied();
                let tcp_at = behind_extensions(&packet, at + IPV6, protocol)?;
                header_at(&packet, tcp_at, wanted, || ipv6_addrs(ip))
            }
            _ => None,
        };
    }
    header_at(packet, at + IPV6, wanted, || ipv6_addrs(ip))
}

/// Where the TCP header is, if there is one.
#[inline(always)]
fn behind_extensions(packet: &Copied<'_>, at: usize, protocol: u8) -> Option<usize> {
    let header = |at: u32| packet.0.load::<[u8; 2]>(at as usize).ok();
    extensions::skip(protocol, at as u32, header).map(|at| at as usize)
}

/// Nearly all packets leave here: they have neither SYN nor RST.
#[inline(always)]
fn header_at(packet: &impl Packet, at: usize, wanted: u8, addrs: impl FnOnce() -> ([u8; 16], [u8; 16])) -> Option<Tcp> {
    let mut copy = TcpHeader::zeroed();
    let tcp = packet.view(at, &mut copy)?;
    let flags = second(tcp[6]);
    if flags & wanted == 0 {
        return None;
    }
    let (src, dst) = addrs();
    let flow = Flow { src, dst, src_port: u16::from_be(tcp[0]), dst_port: u16::from_be(tcp[1]) };
    let (seq, ack) = (u32::from_be(word(tcp, 2)), u32::from_be(word(tcp, 4)));
    let header_len = u32::from(first(tcp[6]) >> 4) * 4;
    Some(Tcp { flow, seq, ack, flags, icmp: 0, at: at as u32, header_len })
}

/// Destination unreachable (3) or time exceeded (11), RFC 792.
#[inline(always)]
fn icmp(packet: &impl Packet, at: usize) -> Option<Tcp> {
    let mut copy = IcmpHeader::zeroed();
    let error = packet.view(at, &mut copy)?;
    if !matches!(first(error[0]), 3 | 11) {
        return None;
    }
    let mut copy = Ipv4::zeroed();
    let ip = packet.view(at + ICMP, &mut copy)?;
    if second(ip[4]) != IPPROTO_TCP || u16::from_be(ip[1]) > LONGEST_SYN {
        return None;
    }
    quoted(packet, at + ICMP + ipv4_len(ip), ipv4_addrs(ip), u16::from_be(error[0]))
}

/// Destination unreachable (1), packet too big (2) or time exceeded (3), RFC 4443.
#[inline(always)]
fn icmpv6(packet: &impl Packet, at: usize) -> Option<Tcp> {
    let mut copy = IcmpHeader::zeroed();
    let error = packet.view(at, &mut copy)?;
    if !matches!(first(error[0]), 1..=3) {
        return None;
    }
    let mut copy = Ipv6::zeroed();
    let ip = packet.view(at + ICMP, &mut copy)?;
    if first(ip[3]) != IPPROTO_TCP || u16::from_be(ip[2]) > LONGEST_SYN {
        return None;
    }
    quoted(packet, at + ICMP + IPV6, ipv6_addrs(ip), u16::from_be(error[0]))
}

#[inline(always)]
fn quoted(packet: &impl Packet, at: usize, (src, dst): ([u8; 16], [u8; 16]), icmp: u16) -> Option<Tcp> {
    let mut copy = Quoted::zeroed();
    let tcp = packet.view(at, &mut copy)?;
    let flow = Flow { src, dst, src_port: u16::from_be(tcp[0]), dst_port: u16::from_be(tcp[1]) };
    Some(Tcp { flow, seq: u32::from_be(word(tcp, 2)), ack: 0, flags: 0, icmp, at: 0, header_len: 0 })
}

/// Bytes of the header, options included.
#[inline(always)]
fn ipv4_len(ip: &Ipv4) -> usize {
    usize::from(first(ip[0]) & 0x0f) * 4
}

#[inline(always)]
fn ipv4_addrs(ip: &Ipv4) -> ([u8; 16], [u8; 16]) {
    (mapped(word(ip, 6)), mapped(word(ip, 8)))
}

#[inline(always)]
fn ipv6_addrs(ip: &Ipv6) -> ([u8; 16], [u8; 16]) {
    let addr = |at| bytemuck::cast([word(ip, at), word(ip, at + 2), word(ip, at + 4), word(ip, at + 6)]);
    (addr(4), addr(12))
}

/// The first byte of two.
#[inline(always)]
fn first(half: u16) -> u8 {
    half.to_ne_bytes()[0]
}

/// The second byte of two.
#[inline(always)]
fn second(half: u16) -> u8 {
    half.to_ne_bytes()[1]
}

/// Two halves as they lie in memory.
#[inline(always)]
fn word<const N: usize>(header: &[u16; N], at: usize) -> u32 {
    bytemuck::cast([header[at], header[at + 1]])
}
