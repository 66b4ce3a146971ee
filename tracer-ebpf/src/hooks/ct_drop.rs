//! raw tracepoint `kfree_skb(struct sk_buff *skb, void *location [, enum skb_drop_reason reason from 5.17
//! [, struct sock *rx_sk from 6.11]])`: a SYN or SYN-ACK was dropped on this node.

use aya_ebpf::macros::raw_tracepoint;
use aya_ebpf::programs::RawTracePointContext;
use aya_log_ebpf::debug;
use tracer_common::Flow;
use tracer_common::config::{NETNS_WATCHED, UPLINK_OUTSIDE};
use tracer_common::events::{CtDrop, STATUS_CONFIRMED, STATUS_SRC_NAT, WIRE_SYN, WIRE_SYN_ACK};

use super::nat_bind;
use crate::kernel::conntrack::{Conn, Room};
use crate::kernel::globals::{DROP_CONSUMED, DROP_HAS_REASON, DROP_UNSPECIFIED, WIRE_BINDS};
use crate::kernel::place::{is_freed_by_tcp, place};
use crate::kernel::skb::{Device, Header, Skb};
use crate::packet::{TCP_ACK, TCP_RST, TCP_SYN};
use crate::{emit, filter, outside};

#[raw_tracepoint(tracepoint = "kfree_skb")]
pub fn ct_drop(ctx: RawTracePointContext) -> i32 {
    // Reading an argument that the tracepoint does not have is refused at attach, so the branch must be dead.
    let reason = if DROP_HAS_REASON.load() == 1 { ctx.arg::<u32>(2) } else { 0 };
    if reason != DROP_CONSUMED.load() {
        let _ = observe(&ctx, reason);
    }
    0
}

#[inline(always)]
fn observe(ctx: &RawTracePointContext, reason: u32) -> Option<()> {
    let skb = Skb::new(ctx.arg::<*const u8>(0));
    let syn = skb.tcp(TCP_SYN)?;
    let is_answer = syn.flags & TCP_ACK != 0;
    if syn.flags & TCP_RST != 0 || skb.is_aside(is_answer) {
        return None;
    }
    if !is_answer && reason <= DROP_UNSPECIFIED.load() && is_freed_by_tcp(ctx.arg::<u64>(1)) {
        return None;
    }
    let mut room = Room::new();
    let conn = skb.conn(&mut room);
    let device = skb.device();
    let netns = device.and_then(Device::netns).or_else(|| conn.and_then(Conn::netns)).unwrap_or(0);
    // A packet without device and entry is one that its socket sends.
    let in_filter = if netns == 0 && filter::by_netns() { skb.socket_netns()? } else { netns };
    // User space knows which other namespaces are behind a watched one.
    let is_elsewhere = in_filter != 0 && !filter::wants_netns(in_filter);
    let is_of_interest = match is_elsewhere {
        true => outside::is_within_rate_elsewhere(),
        false => is_answer || is_of_interest(skb, conn, &syn, netns)?,
    };
    if !is_of_interest {
        return None;
    }
    if WIRE_BINDS.load() != 0 && !is_answer && !is_elsewhere {
        let _ = conn.filter(|conn| is_undone(*conn)).and_then(|conn| nat_bind::of_entry(conn, syn.seq()?));
    }
    emit::emit(|event: &mut CtDrop| {
        event.stamp = emit::stamp(CtDrop::KIND, if is_elsewhere { in_filter } else { netns });
        syn.flow(&mut event.flow)?;
        if !is_wanted(conn, &event.flow, is_answer) {
            return None;
        }
        event.isn = if is_answer { syn.ack()?.wrapping_sub(1) } else { syn.seq()? };
        event.reason = reason;
        event.status = conn.map_or(0, Conn::status);
        event.ifindex = device.and_then(Device::ifindex).unwrap_or(0);
        event.packet = if is_answer { WIRE_SYN_ACK } else { WIRE_SYN };
        event.ctinfo = skb.ctinfo()?;
        event.place = place(ctx.arg::<u64>(1));
        event.original = conn.and_then(Conn::original).unwrap_or_default();
        event.unused = [0; 5];
        Some(())
    });
    debug!(ctx, "ct_drop: flags {:x}, reason {}", syn.flags, reason);
    Some(())
}

/// Whether a SYN is to be reported. Those of strangers, which an uplink has received or which this node has passed on to a namespace that
/// is not watched, are reported at a bounded rate; sockets of this kernel report their own.
#[inline(always)]
fn is_of_interest(skb: Skb, conn: Option<Conn<'_>>, syn: &Header, netns: u32) -> Option<bool> {
    let received_by = skb.received_by()?;
    if received_by == 0 || netns == 0 {
        return Some(true);
    }
    let is_from_outside = filter::uplink(netns, received_by) & UPLINK_OUTSIDE != 0;
    if is_from_outside && !outside::is_forwarded(conn, syn) {
        return Some(false);
    }
    let is_passed_on = filter::uplink(netns, 0) & NETNS_WATCHED == 0;
    Some(!is_from_outside && !is_passed_on || outside::is_within_rate())
}

/// NAT had chosen a source that was never confirmed, so no other event reports this binding.
#[inline(always)]
fn is_undone(conn: Conn<'_>) -> bool {
    conn.status() & (STATUS_SRC_NAT | STATUS_CONFIRMED) == STATUS_SRC_NAT
}

/// An entry knows the original tuple; without one, a SYN has it itself, but for a DNAT in another namespace, and a SYN-ACK does not.
#[inline(always)]
fn is_wanted(conn: Option<Conn<'_>>, flow: &Flow, is_answer: bool) -> bool {
    match conn.and_then(Conn::original) {
        Some(original) => filter::wants(&original),
        None if is_answer => filter::wants_wire(&flow.reversed()),
        None => filter::wants_src(flow),
    }
}
