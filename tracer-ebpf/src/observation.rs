//! What a packet on an interface is to an attempt that leaves through it, and the event that reports it.

use tracer_common::Flow;
use tracer_common::config::UPLINK_OUTSIDE;
use tracer_common::events::{WIRE_EGRESS, WIRE_INGRESS, WIRE_RST, WIRE_SYN, WIRE_SYN_ACK, WIRE_UNREACHABLE, Wire};

use crate::emit;
use crate::hooks::nat_bind;
use crate::kernel::globals::{WATCHES_INNER, WIRE_BINDS, WIRE_NETNS, WIRE_READS};
use crate::kernel::skb::{Device, Skb};
use crate::packet::{TCP_ACK, TCP_RST, TCP_SYN, Tcp};
use crate::{filter, waiting};

const TCP_SYN_ACK: u8 = TCP_SYN | TCP_ACK;
const TCP_RST_ACK: u8 = TCP_RST | TCP_ACK;

/// Kind, ISN of the attempt, flow towards the server. A SYN-ACK that leaves is of interest only where it [`leaves_again`].
#[inline(always)]
pub fn recognise(direction: u8, tcp: &Tcp) -> Option<(u8, u32, Flow)> {
    if tcp.icmp != 0 {
        // It quotes what left, as it left.
        return (direction == WIRE_INGRESS).then_some((WIRE_UNREACHABLE, tcp.seq, tcp.flow));
    }
    match (direction, tcp.flags & (TCP_SYN | TCP_ACK | TCP_RST)) {
        (WIRE_EGRESS, TCP_SYN) => Some((WIRE_SYN, tcp.seq, tcp.flow)),
        (WIRE_INGRESS, TCP_SYN) if WATCHES_INNER.load() != 0 => Some((WIRE_SYN, tcp.seq, tcp.flow)),
        // The reset of a SYN-ACK that no socket here expects takes its sequence number from the acknowledgement.
        (WIRE_EGRESS, TCP_RST) => Some((WIRE_RST, tcp.seq.wrapping_sub(1), tcp.flow)),
        (WIRE_INGRESS | WIRE_EGRESS, TCP_SYN_ACK) => Some((WIRE_SYN_ACK, tcp.ack.wrapping_sub(1), tcp.flow.reversed())),
        // The reset of a SYN has sequence number 0 and acknowledges it (RFC 9293, 3.10.7.1).
        (WIRE_INGRESS, TCP_RST_ACK) if tcp.seq == 0 => Some((WIRE_RST, tcp.ack.wrapping_sub(1), tcp.flow.reversed())),
        _ => None,
    }
}

/// Whether a packet that leaves by this interface has arrived by an uplink: this node routes it to the outside again.
#[inline(always)]
pub fn leaves_again(skb: Skb, received_by: u32, ifindex: u32) -> bool {
    // What this node sends itself, as a server, has not arrived.
    received_by != 0
        && skb.device().and_then(Device::netns).is_some_and(|netns| {
            filter::uplink(netns, received_by) & filter::uplink(netns, ifindex) & UPLINK_OUTSIDE != 0
        })
}

/// Reports the binding of a SYN that leaves, before the SYN itself, and remembers the SYN for the packets that follow.
#[inline(always)]
pub fn leaving(skb: Skb, tcp: &Tcp, ifindex: u32) {
    let seen = waiting::note(tcp.seq, &tcp.flow, ifindex);
    // A kprobe has reported every source that NAT chose, but not the entries whose source it left alone.
    let is_new = WIRE_BINDS.load() != 0 && !seen.is_known;
    if WIRE_READS.load() != 0 && (is_new || seen.is_again) {
        let _ = nat_bind::of_packet(skb, tcp.seq, is_new, seen.is_again);
    }
    if seen.is_again {
        waiting::wait_for(tcp.seq, &tcp.flow);
    }
}

/// Sends the event.
#[inline(always)]
pub fn send(skb: Skb, tcp: &Tcp, packet: u8, direction: u8, isn: u32, ifindex: u32, detail: u16) -> Option<()> {
    emit::emit(|event: &mut Wire| {
        // Mostly user space knows it by the interface.
        let netns = if WIRE_NETNS.load() != 0 { skb.device().and_then(Device::netns).unwrap_or(0) } else { 0 };
        event.stamp = emit::stamp(Wire::KIND, netns);
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
