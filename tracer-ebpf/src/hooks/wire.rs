//! TC ingress and egress of the uplinks: SYN, SYN-ACK, RST and ICMP errors as they really pass, after NAT; bindings from the
//! conntrack entries of SYNs that leave; and segments that arrive where only the answer to a retransmitted SYN may,
//! or leave where only a client that got one sends; and SYN-ACKs that leave by an uplink after they arrived by one.
//!
//! Four programs, `wire_ingress` and `wire_egress` for interfaces with an Ethernet header, `wire_l3_ingress` and
//! `wire_l3_egress` for those without one. All let the packet pass (`TCX_NEXT`, which is `TC_ACT_UNSPEC`).

use aya_ebpf::bindings::__sk_buff;
use aya_ebpf::macros::classifier;
use aya_ebpf::programs::TcContext;
use tracer_common::events::{
    WIRE_EGRESS, WIRE_INGRESS, WIRE_OTHER_HOST, WIRE_OWN, WIRE_RST, WIRE_STRAY, WIRE_SYN, WIRE_SYN_ACK,
};

use crate::kernel::skb::Skb;
use crate::packet::{self, TCP_ACK, TCP_RST, TCP_SYN, Tcp};
use crate::{filter, observation, waiting};

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
    if packet::dull_port::<LINK_HEADER, DIRECTION>(ctx).is_none_or(waiting::has) {
        look::<LINK_HEADER, DIRECTION>(ctx.skb.skb);
    }
    NEXT
}

/// A function of its own: what it saves on the stack, packets that are not of interest need not save.
#[inline(never)]
fn look<const LINK_HEADER: usize, const DIRECTION: u8>(skb: *mut __sk_buff) {
    let ctx = TcContext::new(skb);
    let is_waiting = waiting::is_any();
    let wanted = if is_waiting { TCP_SYN | TCP_RST | TCP_ACK } else { TCP_SYN | TCP_RST };
    let Some(tcp) = packet::tcp::<LINK_HEADER>(&ctx, wanted) else { return };
    if is_waiting
        && tcp.icmp == 0
        && let Some(isn) = if DIRECTION == WIRE_INGRESS { waiting::stray(&tcp) } else { waiting::continues(&tcp) }
    {
        let is_reset = tcp.flags & (TCP_RST | TCP_ACK) == TCP_RST | TCP_ACK && tcp.ack.wrapping_sub(1) == isn;
        let (packet, detail) = if is_reset { (WIRE_RST, 0) } else { (WIRE_STRAY, tcp.flags.into()) };
        let _ = observation::send(Skb::new(skb), &tcp, packet, DIRECTION, isn, packet::ifindex(&ctx), detail);
        return;
    }
    let _ = report::<LINK_HEADER>(&ctx, DIRECTION, &tcp);
}

#[inline(always)]
fn report<const LINK_HEADER: usize>(ctx: &TcContext, direction: u8, tcp: &Tcp) -> Option<()> {
    let (packet, isn, to_server) = observation::recognise(direction, tcp)?;
    let ifindex = packet::ifindex(ctx);
    if packet == WIRE_SYN && direction == WIRE_EGRESS {
        observation::leaving(Skb::new(ctx.skb.skb), tcp, ifindex);
    }
    if packet == WIRE_SYN_ACK
        && direction == WIRE_EGRESS
        && !observation::leaves_again(Skb::new(ctx.skb.skb), packet::received_by(ctx), ifindex)
    {
        return None;
    }
    if packet == WIRE_SYN && direction == WIRE_INGRESS && !filter::is_inner(ifindex) || !filter::wants_wire(&to_server)
    {
        return None;
    }
    let detail = detail::<LINK_HEADER>(ctx, packet, direction, tcp);
    observation::send(Skb::new(ctx.skb.skb), tcp, packet, direction, isn, ifindex, detail)
}

#[inline(always)]
fn detail<const LINK_HEADER: usize>(ctx: &TcContext, packet: u8, direction: u8, tcp: &Tcp) -> u16 {
    if packet != WIRE_SYN {
        let is_answer = direction == WIRE_INGRESS && tcp.icmp == 0;
        return if is_answer && packet::is_for_other_host(ctx) { WIRE_OTHER_HOST } else { tcp.icmp };
    }
    let bits = packet::syn_bits(ctx, tcp);
    if direction != WIRE_EGRESS {
        return bits;
    }
    let own = if packet::is_of_its_socket(ctx, &tcp.flow) { WIRE_OWN } else { 0 };
    bits | own | packet::class(ctx, LINK_HEADER, tcp)
}
