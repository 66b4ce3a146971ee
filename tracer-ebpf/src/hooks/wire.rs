//! TC ingress and egress of the uplinks: SYN, SYN-ACK, RST and ICMP errors as they really pass, after NAT; bindings from the
//! conntrack entries of SYNs that leave; and segments that arrive where only the answer to a retransmitted SYN may.
//!
//! Four programs, `wire_ingress` and `wire_egress` for interfaces with an Ethernet header, `wire_l3_ingress` and
//! `wire_l3_egress` for those without one. All let the packet pass (`TCX_NEXT`, which is `TC_ACT_UNSPEC`).

use aya_ebpf::bindings::__sk_buff;
use aya_ebpf::macros::classifier;
use aya_ebpf::programs::TcContext;
use tracer_common::Flow;
use tracer_common::events::{
    WIRE_EGRESS, WIRE_INGRESS, WIRE_OWN, WIRE_RST, WIRE_STRAY, WIRE_SYN, WIRE_SYN_ACK, WIRE_UNREACHABLE, Wire,
};

use super::nat_bind;
use crate::kernel::globals::{WATCHES_INNER, WIRE_BINDS};
use crate::kernel::skb::Skb;
use crate::packet::{self, TCP_ACK, TCP_RST, TCP_SYN, Tcp};
use crate::{emit, filter, waiting};

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
    let is_waited_for = |port| DIRECTION == WIRE_INGRESS && waiting::has(port);
    if packet::dull_port::<LINK_HEADER>(ctx).is_none_or(is_waited_for) {
        look::<LINK_HEADER, DIRECTION>(ctx.skb.skb);
    }
    NEXT
}

/// A function of its own: what it saves on the stack, packets that are not of interest need not save.
#[inline(never)]
fn look<const LINK_HEADER: usize, const DIRECTION: u8>(skb: *mut __sk_buff) {
    let ctx = TcContext::new(skb);
    let is_waiting = DIRECTION == WIRE_INGRESS && waiting::is_any();
    let wanted = if is_waiting { TCP_SYN | TCP_RST | TCP_ACK } else { TCP_SYN | TCP_RST };
    let Some(tcp) = packet::tcp::<LINK_HEADER>(&ctx, wanted) else { return };
    if is_waiting && tcp.icmp == 0 && waiting::has(tcp.flow.dst_port) {
        if let Some(isn) = waiting::stray(&tcp) {
            let _ = send(&tcp, WIRE_STRAY, DIRECTION, isn, packet::ifindex(&ctx), tcp.flags.into());
            return;
        }
    }
    let _ = report(&ctx, DIRECTION, &tcp);
}

#[inline(always)]
fn report(ctx: &TcContext, direction: u8, tcp: &Tcp) -> Option<()> {
    let (packet, isn, to_server) = recognise(direction, tcp)?;
    let ifindex = packet::ifindex(ctx);
    if packet == WIRE_SYN && direction == WIRE_EGRESS {
        leaving(Skb::new(ctx.skb.skb), tcp, ifindex);
    }
    if packet == WIRE_SYN && direction == WIRE_INGRESS && !filter::is_inner(ifindex) || !filter::wants_wire(&to_server)
    {
        return None;
    }
    send(tcp, packet, direction, isn, ifindex, detail(ctx, packet, direction, tcp))
}

/// What is told of a SYN that leaves besides the SYN itself: its binding, before it; and it is remembered for what follows.
#[inline(always)]
pub fn leaving(skb: Skb, tcp: &Tcp, ifindex: u32) {
    let seen = waiting::note(tcp.seq, &tcp.flow, ifindex);
    if WIRE_BINDS.load() != 0 && !seen.is_known {
        let _ = nat_bind::of_packet(skb, tcp.seq);
    }
    if seen.is_again {
        waiting::wait_for(tcp.seq, &tcp.flow);
    }
}

/// Sends an event.
#[inline(always)]
pub fn send(tcp: &Tcp, packet: u8, direction: u8, isn: u32, ifindex: u32, detail: u16) -> Option<()> {
    emit::emit(|event: &mut Wire| {
        event.stamp = emit::stamp(Wire::KIND, 0);
        event.flow = tcp.flow;
        event.isn = isn;
        event.ifindex = ifindex;
        event.packet = packet;
        event.direction = direction;
        event.detail = detail;
        Some(())
    });
    Some(())
}

#[inline(always)]
fn detail(ctx: &TcContext, packet: u8, direction: u8, tcp: &Tcp) -> u16 {
    if packet != WIRE_SYN {
        return tcp.icmp;
    }
    let is_own = direction == WIRE_EGRESS && packet::is_of_its_socket(ctx, &tcp.flow);
    packet::syn_bits(ctx, tcp) | if is_own { WIRE_OWN } else { 0 }
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
        (WIRE_INGRESS, TCP_SYN) if WATCHES_INNER.load() != 0 => Some((WIRE_SYN, tcp.seq, tcp.flow)),
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
