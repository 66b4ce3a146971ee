//! `nat_select` and `nat_bind`: what NAT was asked for, and what it chose.

use tracer_common::events::{NatBind, NatSelect, STATUS_CONFIRMED, STATUS_SRC_NAT, STATUS_SRC_NAT_DONE};

use super::bindings::Choice;
use super::fits;
use super::node::Join;
use super::slot::PackedRange;
use super::slot_flags::SlotFlags;
use super::slot_view::SlotView;
use super::tuple::TupleKey;
use super::update::Updates;

impl Join {
    /// Keeps the range for the binding that follows, unless that was delivered first.
    pub(super) fn nat_select(&mut self, event: &NatSelect) {
        let (time_ns, netns, zone) = (event.stamp.time_ns, event.stamp.netns, event.zone);
        let (original, range) = (&TupleKey::from(&event.original), PackedRange::from(event));
        let Some((translated, choice)) = self.bindings.ranged(original, netns, zone, time_ns, range) else {
            self.evicted += self.hints.select(event);
            return;
        };
        let translated = &TupleKey::from(&translated);
        let is_same = |slot: SlotView<'_>| fits::bind(slot, original, translated);
        if self.attempts.find(choice.isn, fits::SAME_TUPLE, is_same).is_some_and(|(found, _)| found == choice.attempt) {
            self.attempts.get_mut(choice.attempt).ranged(range);
        }
    }

    /// Notes what NAT chose, and remembers it beyond the attempt.
    pub(super) fn nat_bind(&mut self, event: &NatBind, updates: &mut Updates<'_>) {
        let (time_ns, netns, isn, zone) = (event.stamp.time_ns, event.stamp.netns, event.isn, event.zone);
        let (original, translated) = (&TupleKey::from(&event.original), &TupleKey::from(&event.translated));
        let found = self.attempts.find(isn, fits::SAME_TUPLE, |slot| fits::bind(slot, original, translated));
        let attempt = found.map_or_else(|| self.open_attempt(isn, time_ns, updates), |(id, _)| id);
        if event.status & STATUS_SRC_NAT == 0 {
            self.tracked(attempt, event, found.is_none(), updates);
            return;
        }
        let range = PackedRange::of(event).or_else(|| self.hints.claim(event).as_ref().map(PackedRange::from));
        let choice = Choice { time_ns, netns, attempt, isn, zone, range };
        self.evicted += self.bindings.push(original, translated, choice);

        self.keep_resets(attempt, translated);
        let mut slot = self.attempts.view_mut(attempt);
        let before = slot.as_ref().translated();
        // An entry that is confirmed is read again where its SYN leaves by another interface.
        let is_known = slot.known.has(SlotFlags::TRANSLATED) && slot.as_ref().is_translated(translated);
        let is_chosen = event.status & STATUS_CONFIRMED == 0 || !is_known;
        let mut ordinal = slot.bind(original, translated, &choice, is_chosen);
        if found.is_none() || !slot.as_ref().is_translated(&TupleKey::from(&before)) {
            ordinal = self.take_hints(attempt, time_ns).or(ordinal);
        }
        self.sent(attempt, time_ns, ordinal, updates);
    }

    /// Notes the entry of a SYN whose source NAT left alone.
    fn tracked(&mut self, attempt: u32, event: &NatBind, is_new: bool, updates: &mut Updates<'_>) {
        let (time_ns, original) = (event.stamp.time_ns, &TupleKey::from(&event.original));
        if event.status & STATUS_SRC_NAT_DONE != 0 {
            self.network.left_alone(event.stamp.netns);
        }
        let mut ordinal =
            self.attempts.view_mut(attempt).tracked(original, &TupleKey::from(&event.translated), time_ns);
        if is_new {
            ordinal = self.take_hints(attempt, time_ns).or(ordinal);
        }
        self.sent(attempt, time_ns, ordinal, updates);
    }
}
