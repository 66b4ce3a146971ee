//! The open attempts: slots that are reused, an index by ISN, and the lists they wait in for their end.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use super::hash::hash_isn;
use super::slot::{NONE, Slot, Wait};
use super::slot_flags::SlotFlags;
use super::slot_view::{SlotView, SlotViewMut};
use super::syn_drops::SynDrops;
use super::tuple::Addresses;
use crate::fetch::fetch;
use crate::model::{EarlierPorts, Process, Strays};

/// Attempts of one bucket at most, so that a sender who gives every SYN the same ISN costs no more than others.
const MAX_BUCKET_LEN: usize = 64;
/// Buckets at the start.
const INITIAL_BUCKETS: usize = 1024;

pub(super) const fn add_one(count: &mut u8) {
    *count = count.saturating_add(1);
}

#[derive(Clone, Copy, Debug)]
struct ListEnds {
    front: u32,
    back: u32,
}

/// What only few attempts have.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Extra {
    /// What arrived and does not answer the SYN
    pub(super) strays: Strays,
    /// The ports with which earlier SYNs left
    pub(super) earlier_ports: EarlierPorts,
    /// Which process has the socket open
    pub(super) process: Option<Process>,
    pub(super) syn_drops: SynDrops,
}

#[derive(Debug)]
pub(super) struct Attempts {
    slots: Vec<Slot>,
    addresses: Addresses,
    extras: HashMap<u32, Extra, FixedState>,
    free: u32,
    len: usize,
    buckets: Vec<u32>,
    lists: [ListEnds; Wait::ALL.len()],
    /// Attempts in the list of [`Wait::Dropped`]
    dropped: u32,
}

impl Default for Attempts {
    fn default() -> Self {
        let empty = ListEnds { front: NONE, back: NONE };
        Self {
            slots: Vec::new(),
            addresses: Addresses::default(),
            extras: HashMap::default(),
            free: NONE,
            len: 0,
            buckets: vec![NONE; INITIAL_BUCKETS],
            lists: [empty; Wait::ALL.len()],
            dropped: 0,
        }
    }
}

impl Attempts {
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) fn get(&self, id: u32) -> &Slot {
        &self.slots[id as usize]
    }

    pub(super) fn get_mut(&mut self, id: u32) -> &mut Slot {
        &mut self.slots[id as usize]
    }

    pub(super) fn view(&self, id: u32) -> SlotView<'_> {
        SlotView { slot: self.get(id), addresses: &self.addresses }
    }

    pub(super) fn view_mut(&mut self, id: u32) -> SlotViewMut<'_> {
        SlotViewMut { slot: &mut self.slots[id as usize], addresses: &mut self.addresses }
    }

    pub(super) fn extra(&self, id: u32) -> Extra {
        if self.get(id).known.has(SlotFlags::EXTRA) {
            self.extras.get(&id).copied().unwrap_or_default()
        } else {
            Extra::default()
        }
    }

    pub(super) fn extra_mut(&mut self, id: u32) -> &mut Extra {
        self.get_mut(id).known.set(SlotFlags::EXTRA);
        self.extras.entry(id).or_default()
    }

    /// A SYN leaves, so what was dropped just before was its copy.
    pub(super) fn forget_drops_of_copies(&mut self, id: u32, time_ns: u64) {
        if self.get(id).syn_dropped.any() {
            let counted = self.get(id).syn_dropped;
            self.get_mut(id).syn_dropped = self.extra_mut(id).syn_drops.leaves(time_ns, counted);
        }
    }

    /// The newest attempt of the ISN's bucket.
    pub(super) fn newest(&self, isn: u32) -> u32 {
        self.buckets[self.bucket(isn)]
    }

    pub(super) fn fetch_bucket(&self, isn: u32) {
        fetch(self.buckets.get(self.bucket(isn)));
    }

    pub(super) fn fetch(&self, id: u32) {
        fetch(self.slots.get(id as usize));
    }

    /// Has fetched what the attempts behind this one in its list need to end.
    pub(super) fn fetch_behind(&self, id: u32) {
        if let Some(next) = self.slots.get(self.get(id).after as usize) {
            self.fetch_bucket(next.isn);
            self.fetch(next.after);
        }
    }

    /// The attempt with this ISN that fits best (higher is better, `best` ends the search); of equals the newest.
    pub(super) fn find(&self, isn: u32, best: u8, fit: impl Fn(SlotView<'_>) -> Option<u8>) -> Option<(u32, u8)> {
        let mut found: Option<(u32, u8)> = None;
        let mut id = self.buckets[self.bucket(isn)];
        while id != NONE {
            let slot = self.view(id);
            if slot.isn == isn
                && let Some(grade) = fit(slot)
                && found.is_none_or(|(_, other)| grade > other)
            {
                found = Some((id, grade));
                if grade >= best {
                    break;
                }
            }
            id = slot.next;
        }
        found
    }

    /// The oldest attempt of the ISN's bucket if that is full.
    pub(super) fn crowded(&self, isn: u32) -> Option<u32> {
        let mut id = self.buckets[self.bucket(isn)];
        for _ in 1..MAX_BUCKET_LEN {
            if id == NONE {
                return None;
            }
            id = self.get(id).next;
        }
        (id != NONE).then_some(id)
    }

    /// Opens an attempt.
    #[expect(clippy::cast_possible_truncation, reason = "there are at most as many slots as the limit, a u32, says")]
    pub(super) fn open(&mut self, isn: u32, time_ns: u64) -> u32 {
        if self.len >= self.buckets.len() / 2 {
            self.double_buckets();
        }
        let slot = Slot::new(isn, time_ns);
        let id = self.free;
        let id = if id == NONE {
            self.slots.push(slot);
            self.slots.len() as u32 - 1
        } else {
            self.free = self.get(id).next;
            *self.get_mut(id) = slot;
            id
        };
        self.len += 1;
        self.link(id);
        self.append(id, Wait::Idle);
        id
    }

    pub(super) fn close(&mut self, id: u32) {
        self.detach(id);
        self.unlink(id);
        if self.get(id).known.has(SlotFlags::EXTRA) {
            self.extras.remove(&id);
        }
        self.view_mut(id).release();
        let free = self.free;
        self.get_mut(id).next = free;
        self.free = id;
        self.len -= 1;
    }

    /// Attempts that were only seen being dropped.
    pub(super) const fn dropped(&self) -> u32 {
        self.dropped
    }

    /// The attempt that has waited longest.
    pub(super) fn front(&self, wait: Wait) -> Option<u32> {
        let id = self.lists[wait as usize].front;
        (id != NONE).then_some(id)
    }

    /// Whether the last event of this attempt is so much later than that of the next one in its list, which is ordered by that.
    pub(super) fn is_long_before_next(&self, id: u32, by_ns: u64) -> bool {
        let slot = self.get(id);
        slot.after != NONE && slot.last_ns.saturating_sub(self.get(slot.after).last_ns) >= by_ns
    }

    pub(super) fn wait(&mut self, id: u32, wait: Wait) {
        self.detach(id);
        self.append(id, wait);
    }

    fn append(&mut self, id: u32, wait: Wait) {
        self.dropped += u32::from(wait == Wait::Dropped);
        let back = std::mem::replace(&mut self.lists[wait as usize].back, id);
        let slot = self.get_mut(id);
        (slot.before, slot.after, slot.wait) = (back, NONE, wait);
        if back == NONE {
            self.lists[wait as usize].front = id;
        } else {
            self.get_mut(back).after = id;
        }
    }

    fn detach(&mut self, id: u32) {
        let slot = self.get(id);
        let (before, after, list) = (slot.before, slot.after, slot.wait as usize);
        self.dropped -= u32::from(list == Wait::Dropped as usize);
        if before == NONE {
            self.lists[list].front = after;
        } else {
            self.get_mut(before).after = after;
        }
        if after == NONE {
            self.lists[list].back = before;
        } else {
            self.get_mut(after).before = before;
        }
    }

    fn bucket(&self, isn: u32) -> usize {
        hash_isn(isn) as usize & (self.buckets.len() - 1)
    }

    fn link(&mut self, id: u32) {
        let bucket = self.bucket(self.get(id).isn);
        self.get_mut(id).next = std::mem::replace(&mut self.buckets[bucket], id);
    }

    fn unlink(&mut self, id: u32) {
        let (bucket, next) = (self.bucket(self.get(id).isn), self.get(id).next);
        let mut at = self.buckets[bucket];
        if at == id {
            self.buckets[bucket] = next;
            return;
        }
        while at != NONE && self.get(at).next != id {
            at = self.get(at).next;
        }
        if at != NONE {
            self.get_mut(at).next = next;
        }
    }

    /// The lists name all attempts.
    fn double_buckets(&mut self) {
        let doubled = self.buckets.len() * 2;
        // Grown in place: a new table beside the old one would leave a hole of its size.
        self.buckets.clear();
        self.buckets.resize(doubled, NONE);
        for wait in Wait::ALL {
            let mut id = self.lists[wait as usize].front;
            while id != NONE {
                self.link(id);
                id = self.get(id).after;
            }
        }
    }

    /// Addresses kept apart.
    #[cfg(test)]
    pub(super) fn addresses(&self) -> usize {
        self.addresses.in_use()
    }
}
