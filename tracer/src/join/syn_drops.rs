//! Which drops stop a SYN or its answer on its way, and which do not: those of copies (a mirror, a frame flooded to all ports of a
//! bridge), and those beyond the uplink, in a namespace in front of it.

use tracer_common::events::UNTRACKED;

use super::dropped_packet::{DroppedPacket, PackedDrops};
use super::interfaces::Interfaces;
use super::slot::Slot;
use super::slot_flags::SlotFlags;
use super::slot_view::SlotView;
use super::times::{Coarse, ONE_SYN_NS};
use super::tuple::TupleKey;

/// What an attempt keeps of the drops of its SYNs, beside its slot.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SynDrops {
    /// Of copies or beyond the uplink
    pub(super) aside: PackedDrops,
    /// Of those that count, how many SYNs had been seen leaving
    pub(super) after_leaving: u8,
    /// When the newest of those that count was dropped
    newest: Coarse,
    /// Those that counted before that transmission
    before: (PackedDrops, u8),
}

impl SynDrops {
    /// Notes one that counts, before it is added to `counted`.
    pub(super) fn note(&mut self, drop: &DroppedPacket, stage: Stage, counted: PackedDrops) {
        let at = Coarse::from_ns(drop.time_ns);
        if !counted.any() || !is_one_syn(at, self.newest) {
            self.before = (counted, self.after_leaving);
        }
        self.newest = at;
        self.after_leaving = self.after_leaving.saturating_add((stage == Stage::AfterLeaving).into());
    }

    /// The SYN leaves now: what was dropped just before was a copy of it. Returns the drops that still count.
    pub(super) fn leaves(&mut self, time_ns: u64, counted: PackedDrops) -> PackedDrops {
        if !is_one_syn(Coarse::from_ns(time_ns), self.newest) {
            return counted;
        }
        self.aside.move_from(counted, self.before.0);
        (_, self.after_leaving) = self.before;
        self.before.0
    }
}

/// Where a packet was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// On its way; a SYN was not seen leaving before
    OnTheWay,
    /// A SYN that was seen leaving: by the queue of that interface or of one that sends for it, or in another watched namespace
    AfterLeaving,
    /// A copy, or beyond the uplink
    Aside,
}

pub(super) fn stage(slot: SlotView<'_>, drop: &DroppedPacket, interfaces: &Interfaces) -> Stage {
    if is_untracked_copy(slot, drop) {
        return Stage::Aside;
    }
    let (uplink_netns, uplink) = interfaces.place_of(slot.newest_interface);
    let is_of_uplinks_netns = drop.netns == 0 || uplink_netns == 0 || drop.netns == uplink_netns;
    if drop.is_answer {
        let is_in_front = slot.known.has(SlotFlags::SEEN)
            && !is_of_uplinks_netns
            && interfaces.is_unwatched(drop.netns)
            && !slot.has_just_arrived(drop.time_ns);
        return if is_in_front { Stage::Aside } else { Stage::OnTheWay };
    }
    if !slot.has_just_left(drop.time_ns) {
        return Stage::OnTheWay;
    }
    // The uplink's own queue, or that of a device that sends for it: the parent of a VLAN, a slave of a bond.
    let sends = || drop.ifindex == uplink || interfaces.sends_for(&slot.translated().src, uplink_netns, drop.ifindex);
    let is_at_uplink = is_of_uplinks_netns && slot.left_before(drop.time_ns) && sends();
    let is_in_next_namespace = !is_of_uplinks_netns && !interfaces.is_unwatched(drop.netns);
    if is_at_uplink || is_in_next_namespace { Stage::AfterLeaving } else { Stage::Aside }
}

/// An untracked packet that has the tuple before NAT: NAT translates tracked packets only, so this is a copy (`TEE`, nft `dup`).
fn is_untracked_copy(slot: SlotView<'_>, drop: &DroppedPacket) -> bool {
    if drop.ctinfo != UNTRACKED || !slot.known.has(SlotFlags::ORIGINAL | SlotFlags::TRANSLATED) {
        return false;
    }
    let flow = &TupleKey::from(&drop.to_server);
    let is_translated = slot.original() != slot.translated();
    is_translated && (slot.is_original(flow) || !drop.is_answer)
}

impl Slot {
    /// Whether the newest transmission was seen leaving, at about this time.
    fn has_just_left(&self, time_ns: u64) -> bool {
        self.known.has(SlotFlags::SEEN | SlotFlags::SENT_BY_WIRE) && is_one_syn(Coarse::from_ns(time_ns), self.sent_at)
    }

    fn left_before(&self, time_ns: u64) -> bool {
        Coarse::from_ns(time_ns).since_ns(self.sent_at) >= 0
    }

    /// Whether an answer was seen arriving at about this time.
    fn has_just_arrived(&self, time_ns: u64) -> bool {
        self.known.has(SlotFlags::ANSWERED) && is_one_syn(Coarse::from_ns(time_ns), self.answered_at)
    }
}

fn is_one_syn(one: Coarse, other: Coarse) -> bool {
    one.since_ns(other).unsigned_abs() <= ONE_SYN_NS
}
