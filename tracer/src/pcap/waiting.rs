//! Retransmitted SYNs that wait for an answer, and the segments that arrive where only that answer may.

use std::collections::HashMap;

use foldhash::fast::FixedState;
use tracer_common::Flow;

use super::segment::{TCP_ACK, TCP_RST, TCP_SYN, TcpSegment};

/// SYNs that wait; beyond that all are forgotten.
const MAX_WAITING: usize = 65_536;
/// Stray segments that are reported of one transmission, as the hooks do.
const MAX_STRAYS: u8 = 4;

/// What a client may have sent when the first of it is seen.
const MAX_SENT: u32 = 65_536;

#[derive(Clone, Copy, Debug)]
struct Waits {
    isn: u32,
    strays: u8,
}

#[derive(Debug)]
pub struct WaitingSyns {
    /// By the tuple of the answer
    flows: HashMap<Flow, Waits, FixedState>,
    /// A bit for each port that one may wait at: what nearly all packets are compared with
    ports: Box<[u64; 1024]>,
}

impl Default for WaitingSyns {
    fn default() -> Self {
        Self { flows: HashMap::default(), ports: Box::new([0; 1024]) }
    }
}

impl WaitingSyns {
    /// Has segments looked at that arrive for this SYN.
    pub fn wait_for(&mut self, syn: &TcpSegment) {
        if self.flows.len() >= MAX_WAITING {
            self.flows.clear();
            self.ports.fill(0);
        }
        self.flows.insert(syn.flow.reversed(), Waits { isn: syn.seq, strays: 0 });
        if let Some(bits) = self.ports.get_mut(usize::from(syn.flow.src_port / 64)) {
            *bits |= 1 << (syn.flow.src_port % 64);
        }
    }

    /// The ISN of the SYN that waits where this segment arrives without acknowledging it.
    #[inline]
    pub fn stray(&mut self, segment: &TcpSegment) -> Option<u32> {
        if self.has(segment.flow.dst_port) { self.look(segment) } else { None }
    }

    /// The ISN of the SYN that waits where its client sends on: it got an answer that is not in the capture.
    #[inline]
    pub fn continues(&mut self, segment: &TcpSegment) -> Option<u32> {
        if self.has(segment.flow.src_port) { self.follow(segment) } else { None }
    }

    fn has(&self, port: u16) -> bool {
        self.ports.get(usize::from(port / 64)).is_some_and(|bits| bits >> (port % 64) & 1 == 1)
    }

    fn follow(&mut self, segment: &TcpSegment) -> Option<u32> {
        let answers = segment.flow.reversed();
        let isn = self.flows.get(&answers)?.isn;
        let is_plain = segment.icmp == 0 && segment.flags & (TCP_SYN | TCP_ACK | TCP_RST) == TCP_ACK;
        if !is_plain || segment.seq.wrapping_sub(isn).wrapping_sub(1) >= MAX_SENT {
            return None;
        }
        self.flows.remove(&answers);
        Some(isn)
    }

    fn look(&mut self, segment: &TcpSegment) -> Option<u32> {
        let waits = self.flows.get_mut(&segment.flow)?;
        let is_answer = segment.flags & TCP_ACK != 0 && segment.flags & (TCP_SYN | TCP_RST) != 0;
        if segment.icmp == 0 && is_answer && segment.ack.wrapping_sub(1) == waits.isn {
            self.flows.remove(&segment.flow);
            return None;
        }
        if segment.icmp != 0 || waits.strays >= MAX_STRAYS {
            return None;
        }
        waits.strays += 1;
        Some(waits.isn)
    }
}
