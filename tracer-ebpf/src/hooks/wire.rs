//! TC ingress and egress of the uplinks: SYN, SYN-ACK, RST and ICMP errors as they really pass, after NAT.
//!
//! Four programs, `wire_ingress` and `wire_egress` for interfaces with an Ethernet header, `wire_l3_ingress` and
//! `wire_l3_egress` for those without one. All let the packet pass (`TCX_NEXT`, which is `TC_ACT_UNSPEC`).

use aya_ebpf::bindings::__sk_buff;
use aya_ebpf::macros::classifier;
use aya_ebpf::programs::TcContext;
use tracer_common::Flow;
use tracer_common::events::{
    WIRE_EGRESS, WIRE_INGRESS, WIRE_OWN, WIRE_RST, WIRE_SYN, WIRE_SYN_ACK, WIRE_UNREACHABLE, Wire,
};

use crate::packet::{self, TCP_ACK, TCP_RST, TCP_SYN, Tcp};
use crate::{emit, filter};

/// `TC_ACT_UNSPEC`: the next program or filter decides.
const NEXT: i32 = -1;

#[classifier]
pub fn wire_ingress(ctx: TcContext) -> i32 {
    observe::<{ packet::ETHERNET }, WIRE_INGRESS>(&ctx)
}

#[classifier]
pub fn wire_egress(ctx: TcContext) -> i32 {
    observe::<{ packet::ETHERNET }, WIRE_EGRESS>(&ctx)
}

#[classifier]
pub fn wire_l3_ingress(ctx: TcContext) -> i32 {
    observe::<0, WIRE_INGRESS>(&ctx)
}

#[classifier]
pub fn wire_l3_egress(ctx: TcContext) -> i32 {
    observe::<0, WIRE_EGRESS>(&ctx)
}

#[inline(always)]
fn observe<const LINK_HEADER: usize, const DIRECTION: u8>(ctx: &TcContext) -> i32 {
    if !packet::is_dull::<LINK_HEADER>(ctx) {
        look::<LINK_HEADER, DIRECTION>(ctx.skb.skb);
    }
    NEXT
}

/// A function of its own: what it saves on the stack, packets that are not of interest need not save.
#[inline(never)]
fn look<const LINK_HEADER: usize, const DIRECTION: u8>(skb: *mut __sk_buff) {
    let ctx = TcContext::new(skb);
    if let Some(tcp) = packet::tcp::<LINK_HEADER>(&ctx) {
        let _ = report(&ctx, DIRECTION, &tcp);
    }
}

#[inline(always)]
fn report(ctx: &TcContext, direction: u8, tcp: &Tcp) -> Option<()> {
    let (packet, isn, to_server) = recognise(direction, tcp)?;
    if !filter::wants_wire(&to_server) {
        return None;
    }
    emit::emit(|event: &mut Wire| {
        event.stamp = emit::stamp(Wire::KIND, 0);
        event.flow = tcp.flow;
        event.isn = isn;
        event.ifindex = packet::ifindex(ctx);
        event.packet = packet;
        event.direction = direction;
        event.detail = detail(ctx, event, tcp);
        Some(())
    });
    Some(())
}

#[inline(always)]
fn detail(ctx: &TcContext, event: &Wire, tcp: &Tcp) -> u16 {
    match (event.packet, event.direction) {
        (WIRE_SYN, WIRE_EGRESS) if packet::is_of_its_socket(ctx, &tcp.flow) => WIRE_OWN,
        _ => tcp.icmp,
    }
}

/// What a packet is to an attempt that leaves through this interface: kind, ISN of the attempt, flow towards the server.
#[inline(always)]
fn recognise(direction: u8, tcp: &Tcp) -> Option<(u8, u32, Flow)> {
    if tcp.icmp != 0 {
        // It quotes what left, as it left.
        return (direction == WIRE_INGRESS).then_some((WIRE_UNREACHABLE, tcp.seq, tcp.flow));
    }
    match (direction, tcp.flags & (TCP_SYN | TCP_ACK | TCP_RST)) {
        (WIRE_EGRESS, TCP_SYN) => Some((WIRE_SYN, tcp.seq, tcp.flow)),
        // The reset of a SYN-ACK that nobody here asked for takes its sequence number from the acknowledgement.
        (WIRE_EGRESS, TCP_RST) => Some((WIRE_RST, tcp.seq.wrapping_sub(1), tcp.flow)),
        (WIRE_INGRESS, TCP_SYN_ACK) => Some((WIRE_SYN_ACK, tcp.ack.wrapping_sub(1), tcp.flow.reversed())),
        // The reset of a SYN has sequence number 0 and acknowledges it (RFC 9293, 3.10.7.1).
        (WIRE_INGRESS, TCP_RST_ACK) if tcp.seq == 0 => Some((WIRE_RST, tcp.ack.wrapping_sub(1), tcp.flow.reversed())),
        _ => None,
    }
}

const TCP_SYN_ACK: u8 = TCP_SYN | TCP_ACK;
const TCP_RST_ACK: u8 = TCP_RST | TCP_ACK;
