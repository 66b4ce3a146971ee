//! SYNs that left: which of them were sent before, and which segments arrive where only an answer to them may, or leave after one.

use tracer_common::Flow;
use tracer_common::config::{SEEN_SYNS, WAITING_WORDS};

use crate::maps::{SEEN, WAITING, WAITING_PORTS};
use crate::packet::{TCP_ACK, TCP_RST, TCP_SYN, Tcp};

/// Stray segments that are reported of one transmission of a SYN.
const MAX_STRAYS: u64 = 4;

/// What is known of a SYN that leaves.
pub struct Seen {
    /// It left this interface before, with this source port.
    pub is_known: bool,
    /// It left this interface before, with this or another source port.
    pub is_again: bool,
}

/// Notes a SYN that leaves. Another SYN may have taken its slot meanwhile: then it looks new.
#[inline(always)]
pub fn note(isn: u32, flow: &Flow, ifindex: u32) -> Seen {
    // Not every client draws its ISN at random, and an odd factor spreads interfaces.
    let slot = (isn ^ isn >> 16 ^ ifindex.wrapping_mul(0x9e37_79b1)) & (SEEN_SYNS - 1);
    let fingerprint = u64::from(isn) << 32 | u64::from(flow.src_port) << 16 | u64::from(ifindex as u16);
    let Some(seen) = SEEN.get_ptr_mut(slot) else { return Seen { is_known: false, is_again: false } };
    // SAFETY: the map's value; a torn write of another CPU makes a SYN look new.
    let before = unsafe { seen.replace(fingerprint) };
    Seen {
        is_known: before == fingerprint,
        is_again: before >> 32 == u64::from(isn) && before as u16 == ifindex as u16,
    }
}

/// Has segments that arrive for this SYN looked at from now on.
#[inline(always)]
pub fn wait_for(isn: u32, flow: &Flow) {
    // The map makes room by itself.
    let _ = WAITING.insert(flow.reversed(), u64::from(isn), 0);
    let Some(ports) = WAITING_PORTS.get_ptr_mut(0) else { return };
    // SAFETY: the map's value. A bit that another CPU's write undoes costs a stray answer, no more.
    let ports = unsafe { &mut *ports };
    ports[usize::from(flow.src_port / 64)] |= 1 << (flow.src_port % 64);
    ports[WAITING_WORDS] = 1;
}

/// Whether any SYN waits.
#[inline(always)]
pub fn is_any() -> bool {
    // SAFETY: the map's value, of which any bytes are valid.
    WAITING_PORTS.get_ptr(0).is_some_and(|ports| unsafe { (*ports)[WAITING_WORDS] } != 0)
}

/// Whether a SYN may wait that left from this port. Nearly all packets leave here.
#[inline(always)]
pub fn has(port: u16) -> bool {
    let Some(ports) = WAITING_PORTS.get_ptr(0) else { return false };
    // SAFETY: as above.
    let ports = unsafe { &*ports };
    ports[WAITING_WORDS] != 0 && ports[usize::from(port / 64)] >> (port % 64) & 1 == 1
}

/// The ISN of the SYN that waits where this segment arrives without acknowledging it, or resets it: the RST of a device, unlike that of a
/// host ([`recognise`](crate::observation::recognise)), may have any sequence number.
#[inline(always)]
pub fn stray(tcp: &Tcp) -> Option<u32> {
    let flow = &tcp.flow;
    if !has(flow.dst_port) {
        return None;
    }
    let waiting = WAITING.get_ptr_mut(flow)?;
    // SAFETY: the map's value, which is valid while the program runs.
    let value = unsafe { *waiting };
    let isn = value as u32;
    let is_answer = tcp.flags & TCP_ACK != 0 && tcp.flags & (TCP_SYN | TCP_RST) != 0;
    if is_answer && tcp.ack.wrapping_sub(1) == isn {
        let _ = WAITING.remove(flow);
        return if tcp.flags & TCP_RST != 0 && tcp.seq != 0 { Some(isn) } else { None };
    }
    if value >> 32 >= MAX_STRAYS {
        return None;
    }
    // SAFETY: as above.
    unsafe { *waiting = value + (1 << 32) };
    Some(isn)
}

/// The ISN of the SYN that waits where its client sends on: it got an answer that no watched interface saw. Once for each.
#[inline(always)]
pub fn continues(tcp: &Tcp) -> Option<u32> {
    /// What a client may have sent when the first of it is seen.
    const MAX_SENT: u32 = 65_536;
    if tcp.flags & (TCP_SYN | TCP_ACK | TCP_RST) != TCP_ACK || !has(tcp.flow.src_port) {
        return None;
    }
    let answers = tcp.flow.reversed();
    // SAFETY: the value is copied at once.
    let isn = unsafe { WAITING.get(answers) }.copied()? as u32;
    if tcp.seq.wrapping_sub(isn).wrapping_sub(1) >= MAX_SENT {
        return None;
    }
    let _ = WAITING.remove(answers);
    Some(isn)
}
