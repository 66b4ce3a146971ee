//! Facts that open no attempt and came before the one they belong to.

use tracer_common::Flow;

use super::bindings::Kept;
use super::dropped_packet::DroppedPacket;
use super::isn_hash::hash_isn;
use super::recent::Recent;
use super::times::{DROP_HINT_NS, HINT_NS, ONE_SYN_NS, SETTLE_NS};
use crate::model::NatRange;

/// Wire observations kept; a flood of SYNs from outside pushes them through quickly, but what belongs together is close.
const MAX_WIRE_OBSERVATIONS: u32 = 4096;
/// RSTs kept: until the first retransmit of their attempt, a second or more.
const MAX_RESETS: u32 = 4096;
/// Dropped packets kept: those of strangers that a firewall keeps out are among them.
const MAX_DROPPED_PACKETS: u32 = 16_384;

/// `nat_select`: what the rule says, for the binding that is about to be made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Selection {
    pub(super) original: Flow,
    pub(super) time_ns: u64,
    pub(super) range: NatRange,
    pub(super) netns: u32,
    pub(super) zone: u16,
    pub(super) claimed: bool,
}

/// Something seen on an interface that fits no attempt yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct WireObservation {
    pub(super) isn: u32,
    pub(super) time_ns: u64,
    /// In the direction of the SYN
    pub(super) flow: Flow,
    /// A SYN that arrives, or the answer to one that left: `WIRE_*`
    pub(super) packet: u8,
    /// Of an ICMP error, as in `wire`
    pub(super) detail: u16,
}

/// An RST that left and that resets no answer of an attempt.
#[derive(Clone, Copy, Debug)]
struct Reset {
    time_ns: u64,
    flow: Flow,
}

#[derive(Debug)]
pub(super) struct Hints {
    selections: Recent<Selection>,
    observations: Recent<WireObservation>,
    drops: Recent<DroppedPacket>,
    resets: Recent<Reset>,
}

impl Hints {
    pub(super) fn new(selections: u32) -> Self {
        Self {
            selections: Recent::new(selections),
            observations: Recent::new(MAX_WIRE_OBSERVATIONS),
            drops: Recent::new(MAX_DROPPED_PACKETS),
            resets: Recent::new(MAX_RESETS),
        }
    }

    /// Keeps a selection; how many that might still have mattered were forgotten for it.
    pub(super) fn select(&mut self, selection: Selection) -> u64 {
        let forgotten = self.selections.push(selection.original.hash(), selection);
        u64::from(
            forgotten.is_some_and(|old| !old.claimed && selection.time_ns.saturating_sub(old.time_ns) < SETTLE_NS),
        )
    }

    /// The range that a binding made at `time_ns` was chosen from.
    pub(super) fn claim(&mut self, original: &Flow, netns: u32, zone: u16, time_ns: u64) -> Option<NatRange> {
        let selection = self.selections.find(original.hash(), |selection| {
            let before = selection.time_ns <= time_ns && time_ns - selection.time_ns <= HINT_NS;
            before && (selection.netns, selection.zone) == (netns, zone) && selection.original == *original
        })?;
        if std::mem::replace(&mut selection.claimed, true) {
            return None;
        }
        Some(selection.range)
    }

    /// Keeps a wire observation.
    pub(super) fn see(&mut self, observation: WireObservation) {
        self.observations.push(hash_isn(observation.isn), observation);
    }

    /// The observations around `time_ns` that have this ISN, the newest first.
    pub(super) fn seen(&self, isn: u32, time_ns: u64) -> impl Iterator<Item = &WireObservation> {
        let near = move |observation: &&WireObservation| {
            observation.isn == isn && observation.time_ns.abs_diff(time_ns) <= HINT_NS
        };
        self.observations.of(hash_isn(isn)).filter(near)
    }

    /// Keeps an RST that left with this tuple.
    pub(super) fn reset(&mut self, time_ns: u64, flow: Flow) {
        self.resets.push(flow.hash(), Reset { time_ns, flow });
    }

    /// How many RSTs left with this tuple since then.
    pub(super) fn resets_since(&self, flow: &Flow, since_ns: u64) -> usize {
        let is_it = |reset: &&Reset| reset.time_ns >= since_ns && reset.flow == *flow;
        self.resets.of(flow.hash()).filter(is_it).count()
    }

    /// Keeps a dropped packet.
    pub(super) fn drop(&mut self, drop: DroppedPacket) {
        self.drops.push(hash_isn(drop.isn), drop);
    }

    /// Whether this SYN was dropped before, as another transmission.
    pub(super) fn has_dropped_before(&self, drop: &DroppedPacket) -> bool {
        let is_before = |other: &DroppedPacket| {
            !other.claimed
                && !other.is_answer
                && other.isn == drop.isn
                && (other.to_server.dst, other.to_server.dst_port) == (drop.to_server.dst, drop.to_server.dst_port)
                && (ONE_SYN_NS..=DROP_HINT_NS).contains(&drop.time_ns.saturating_sub(other.time_ns))
        };
        !drop.is_answer && self.drops.of(hash_isn(drop.isn)).any(is_before)
    }

    /// A packet dropped before `time_ns` that has this ISN, is the one, and was not claimed before.
    pub(super) fn claim_drop(
        &mut self,
        isn: u32,
        time_ns: u64,
        is_it: impl Fn(&DroppedPacket) -> bool,
    ) -> Option<DroppedPacket> {
        let drop = self.drops.find(hash_isn(isn), |drop| {
            !drop.claimed && drop.isn == isn && drop.time_ns.abs_diff(time_ns) <= DROP_HINT_NS && is_it(drop)
        })?;
        drop.claimed = true;
        Some(*drop)
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.selections.bytes() + self.observations.bytes() + self.drops.bytes() + self.resets.bytes()
    }
}
