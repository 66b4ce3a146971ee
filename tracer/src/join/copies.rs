//! Copies of SYNs that this node drops: those of a packet socket, of a TEE or mirror rule, of a bridge that floods.

use super::dropped_packet::PackedDrops;
use super::slot::Slot;
use crate::model::Dropped;

/// Ways of dropping that are remembered at most.
const MAX_KINDS: usize = 8;

/// How copies are dropped: of a SYN that was answered though each of its transmissions was dropped, it was a copy.
#[derive(Debug, Default)]
pub(super) struct Copies {
    kinds: Vec<Dropped>,
}

impl Copies {
    /// Notes an attempt that was seen leaving and answered.
    #[inline]
    pub(super) fn note(&mut self, slot: &Slot) {
        if slot.syn_dropped.any() {
            self.note_drops(slot);
        }
    }

    #[cold]
    fn note_drops(&mut self, slot: &Slot) {
        let dropped = slot.syn_dropped.unpack();
        let are_all = u32::from(dropped.count) > slot.retransmits() && !dropped.are_mixed;
        if are_all && self.kinds.len() < MAX_KINDS && !self.has(slot.syn_dropped) {
            self.kinds.push(dropped);
        }
    }

    /// Whether copies were dropped so.
    pub(super) fn has(&self, drops: PackedDrops) -> bool {
        let dropped = drops.unpack();
        self.kinds.iter().any(|kind| kind.reason == dropped.reason)
    }
}
