//! `nat_select` and `nat_bind`: what NAT was asked for, and what it chose.

use tracer_common::events::{NatBind, NatSelect, RANGE_KNOWN};

use super::bindings::Binding;
use super::hints::Selection;
use super::retransmits::Held;
use super::{Join, Update, fits};
use crate::model::NatRange;

impl Join {
    /// Keeps the range for the binding that follows, unless that was delivered first.
    pub(super) fn nat_select(&mut self, event: &NatSelect) {
        let (time_ns, netns) = (event.stamp.time_ns, event.stamp.netns);
        let range = NatRange { flags: event.flags, min_port: event.min_port, max_port: event.max_port };
        let Some(binding) = self.bindings.made_after(&event.original, netns, event.zone, time_ns) else {
            let (original, zone) = (event.original, event.zone);
            self.evicted += self.hints.select(Selection { original, time_ns, range, netns, zone, claimed: false });
            return;
        };
        binding.range = Some(range);
        let (id, isn) = (binding.attempt, binding.isn);
        let is_same = |slot: &super::slot::Slot| fits::bind(slot, &event.original, &binding.translated);
        if self.attempts.find(isn, fits::SAME, is_same).is_some_and(|(found, _)| found == id) {
            self.attempts.get_mut(id).ranged(range);
        }
    }

    /// Notes what NAT chose, and remembers it beyond the attempt.
    pub(super) fn nat_bind(&mut self, event: &NatBind, update: &mut impl FnMut(Update<'_>)) {
        let (time_ns, netns, isn) = (event.stamp.time_ns, event.stamp.netns, event.isn);
        let found = self.attempts.find(isn, fits::SAME, |slot| fits::bind(slot, &event.original, &event.translated));
        let id = found.map_or_else(|| self.open_attempt(isn, time_ns, update), |(id, _)| id);
        let (original, translated, zone) = (event.original, event.translated, event.zone);
        let range = range_of(event).or_else(|| self.hints.claim(&original, netns, zone, time_ns));
        let binding = Binding { original, translated, time_ns, range, netns, zone, attempt: id, isn };
        self.evicted += self.bindings.push(binding);

        let slot = self.attempts.get_mut(id);
        let before = slot.translated;
        let mut ordinal = slot.bind(&binding);
        if found.is_none() || slot.translated != before {
            ordinal = self.take_hints(id, time_ns).or(ordinal);
        }
        self.heard(id, time_ns);
        if let Some(ordinal) = ordinal {
            self.hold(Held { time_ns, attempt: id, ordinal, by_socket: false, is_repeated: false }, update);
        }
    }
}

/// The range that the binding was chosen from, if it brought it along.
fn range_of(event: &NatBind) -> Option<NatRange> {
    let flags = u32::from(event.range_flags & !RANGE_KNOWN);
    let is_known = event.range_flags & RANGE_KNOWN != 0;
    is_known.then_some(NatRange { flags, min_port: event.min_port, max_port: event.max_port })
}
