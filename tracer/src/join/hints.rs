//! Facts that open no attempt and came before the one they belong to.

use tracer_common::Flow;
use tracer_common::events::{NatBind, NatSelect, Wire};

use super::bindings::Kept;
use super::dropped_packet::DroppedPacket;
use super::hash::hash_isn;
use super::recent::Recent;
use super::times::{DROP_HINT_NS, HINT_NS, ONE_SYN_NS, SETTLE_NS};

/// Wire observations kept; a flood of SYNs from outside pushes them through quickly, but what belongs together is close.
const MAX_WIRE_OBSERVATIONS: u32 = 4096;
/// RSTs kept: until the first retransmit of their attempt, a second or more.
const MAX_RESETS: u32 = 4096;
/// Dropped packets kept: those of strangers that a firewall keeps out are among them.
const MAX_DROPPED_PACKETS: u32 = 16_384;

/// What the rule says, for the binding that is about to be made.
#[derive(Clone, Copy, Debug)]
struct Selection {
    event: NatSelect,
    claimed: bool,
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
    /// Their flows are in the direction of the SYN
    observations: Recent<Wire>,
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
    pub(super) fn select(&mut self, event: &NatSelect) -> u64 {
        let forgotten = self.selections.push(event.original.hash(), Selection { event: *event, claimed: false });
        let is_young = |old: Selection| event.stamp.time_ns.saturating_sub(old.event.stamp.time_ns) < SETTLE_NS;
        u64::from(forgotten.is_some_and(|old| !old.claimed && is_young(old)))
    }

    /// The selection that this binding was made by.
    pub(super) fn claim(&mut self, binding: &NatBind) -> Option<NatSelect> {
        let selection = self.selections.find(binding.original.hash(), |Selection { event, .. }| {
            let (selected_ns, bound_ns) = (event.stamp.time_ns, binding.stamp.time_ns);
            (selected_ns..=selected_ns.saturating_add(HINT_NS)).contains(&bound_ns)
                && (event.stamp.netns, event.zone) == (binding.stamp.netns, binding.zone)
                && event.original == binding.original
        })?;
        let was_claimed = std::mem::replace(&mut selection.claimed, true);
        (!was_claimed).then_some(selection.event)
    }

    pub(super) fn see(&mut self, observation: Wire) {
        self.observations.push(hash_isn(observation.isn), observation);
    }

    /// The observations around `time_ns` that have this ISN, the newest first.
    pub(super) fn seen(&self, isn: u32, time_ns: u64) -> impl Iterator<Item = &Wire> {
        let near =
            move |observation: &&Wire| observation.isn == isn && observation.stamp.time_ns.abs_diff(time_ns) <= HINT_NS;
        self.observations.of(hash_isn(isn)).filter(near)
    }

    pub(super) fn reset(&mut self, time_ns: u64, flow: Flow) {
        self.resets.push(flow.hash(), Reset { time_ns, flow });
    }

    /// How many RSTs left with this tuple since then.
    pub(super) fn resets_since(&self, flow: &Flow, since_ns: u64) -> usize {
        let is_it = |reset: &&Reset| reset.time_ns >= since_ns && reset.flow == *flow;
        self.resets.of(flow.hash()).filter(is_it).count()
    }

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
}
