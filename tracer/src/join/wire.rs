//! `wire`: what was really seen on an interface.

use tracer_common::Flow;
use tracer_common::events::{
    WIRE_EGRESS, WIRE_INGRESS, WIRE_OWN, WIRE_RST, WIRE_STRAY, WIRE_SYN, WIRE_SYN_ACK, WIRE_UNREACHABLE, Wire,
};

use super::attempts::add_one;
use super::fits;
use super::node::Join;
use super::slot_flags::SlotFlags;
use super::slot_view::SlotView;
use super::tuple::TupleKey;
use super::update::Updates;
use crate::model::Outcome;

impl Join {
    /// Notes a wire observation. Only a SYN that leaves can open an attempt; the others may belong to any host.
    pub(super) fn wire(&mut self, event: &Wire, updates: &mut Updates<'_>) {
        match (event.packet, event.direction) {
            (WIRE_SYN, WIRE_EGRESS) => self.leaving(event, updates),
            // An ICMP error quotes the SYN, so its flow has the direction of the SYN already.
            (WIRE_SYN | WIRE_UNREACHABLE, WIRE_INGRESS) => self.observed(*event),
            (WIRE_SYN_ACK | WIRE_RST | WIRE_STRAY, WIRE_INGRESS) => {
                self.observed(Wire { flow: event.flow.reversed(), ..*event });
            }
            (WIRE_SYN_ACK, WIRE_EGRESS) => self.leaves_again(event),
            (WIRE_RST, WIRE_EGRESS) => self.reset(event),
            (WIRE_STRAY, WIRE_EGRESS) => self.continues(event),
            // Answers that leave belong to attempts of others.
            _ => {}
        }
    }

    fn leaving(&mut self, event: &Wire, updates: &mut Updates<'_>) {
        let (isn, time_ns) = (event.isn, event.stamp.time_ns);
        let flow = &TupleKey::from(&event.flow);
        let found = self.attempts.find(isn, fits::SAME_TUPLE, |slot| fits::leaving(slot, flow));
        let id = found.map_or_else(|| self.open_attempt(isn, time_ns, updates), |(id, _)| id);
        let interface = self.network.interfaces.number(event.stamp.netns, event.ifindex);
        self.keep_resets(id, flow);
        self.attempts.forget_drops_of_copies(id, time_ns);
        let mut slot = self.attempts.view_mut(id);
        let is_news = !slot.as_ref().is_translated(flow);
        let mut ordinal = slot.leaving(flow, interface, event.detail, time_ns);
        if event.detail & WIRE_OWN != 0 {
            slot.left_alone(flow);
        }
        if is_news {
            ordinal = self.take_hints(id, time_ns).or(ordinal);
        }
        self.sent(id, time_ns, ordinal, updates);
    }

    /// Something on this node rejects the answer to a SYN. If that is the client itself, then it has given up before. An RST with
    /// another number resets a segment that answers no SYN: it is looked for by its tuple.
    fn reset(&mut self, event: &Wire) {
        let flow = &TupleKey::from(&event.flow);
        let found = self.attempts.find(event.isn, fits::SAME_TUPLE, |slot| fits::reset(slot, flow));
        let Some((id, _)) = found else {
            self.hints.reset(event.stamp.time_ns, event.flow);
            return;
        };
        let slot = self.attempts.view(id);
        if slot.outcome == Outcome::Pending && slot.known.has(SlotFlags::SOCKET | SlotFlags::SYN_ACK) {
            let diverted = if fits::was_translated_to(slot, flow) { 0 } else { SlotFlags::DIVERTED };
            self.attempts.get_mut(id).known.set(SlotFlags::RESET_HERE | diverted);
        }
    }

    /// This node routes the SYN-ACK to the outside again, translated back or not.
    fn leaves_again(&mut self, event: &Wire) {
        let to_server = event.flow.reversed();
        let flow = &TupleKey::from(&to_server);
        let found = self.attempts.find(event.isn, fits::SAME_TUPLE, |slot| fits::dropped(slot, flow));
        if let Some((id, _)) = found.filter(|(_, grade)| *grade == fits::SAME_TUPLE) {
            add_one(&mut self.attempts.extra_mut(id).strays.left_again);
            self.heard(id, event.stamp.time_ns);
        }
    }

    /// The client sends on: its SYN was answered, where no watched interface saw it.
    fn continues(&mut self, event: &Wire) {
        let flow = &TupleKey::from(&event.flow);
        let found = self.attempts.find(event.isn, fits::SAME_TUPLE, |slot| fits::answer(slot, flow));
        if let Some((id, _)) = found.filter(|(id, _)| !self.attempts.get(*id).known.has(SlotFlags::SYN_ACK)) {
            self.attempts.get_mut(id).known.set(SlotFlags::ANSWERED_UNSEEN);
            self.heard(id, event.stamp.time_ns);
        }
    }

    /// Notes the RSTs that left with the translated tuple while the SYN of a retransmitted attempt waited.
    pub(super) fn take_resets(&mut self, id: u32) {
        let slot = self.attempts.view(id);
        if slot.retransmits() > 0 && slot.known.has(SlotFlags::TRANSLATED) {
            self.count_resets(id);
        }
    }

    /// The same, before the translated tuple of a SYN that was seen leaving becomes this one.
    #[inline]
    pub(super) fn keep_resets(&mut self, id: u32, translated: &TupleKey<'_>) {
        let slot = self.attempts.view(id);
        if slot.known.has(SlotFlags::SEEN | SlotFlags::TRANSLATED) && !slot.is_translated(translated) {
            self.count_resets(id);
            self.keep_port(id, translated.flow);
        }
    }

    /// The SYN left with a port, and NAT has chosen another one for the next.
    #[cold]
    fn keep_port(&mut self, id: u32, translated: &Flow) {
        let slot = self.attempts.view(id);
        let before = slot.translated();
        let is_other_port =
            (before.src, before.dst, before.dst_port) == (translated.src, translated.dst, translated.dst_port);
        let is_settled = slot
            .known
            .has_any(SlotFlags::SYN_ACK | SlotFlags::RST | SlotFlags::SECOND_NAT | SlotFlags::FROM_CACHED_BINDING);
        if is_other_port && !is_settled {
            self.attempts.extra_mut(id).earlier_ports.keep(before.src_port);
        }
    }

    /// An answer that belongs to no attempt may be that to an earlier SYN, whose port was another.
    #[cold]
    fn answered_earlier(&mut self, observation: &Wire) {
        let flow = &TupleKey::from(&observation.flow);
        let is_of = |slot: SlotView<'_>| fits::differs_by_port(slot, flow).then_some(fits::SAME_TUPLE);
        if let Some((id, _)) = self.attempts.find(observation.isn, fits::SAME_TUPLE, is_of)
            && !self.attempts.extra(id).earlier_ports.is_empty()
        {
            self.attempts.extra_mut(id).earlier_ports.answered(flow.flow.src_port);
        }
    }

    #[cold]
    fn count_resets(&mut self, id: u32) {
        let slot = self.attempts.view(id);
        let count = self.hints.resets_since(&slot.translated(), slot.first_ns);
        if count > 0 {
            let sent = &mut self.attempts.extra_mut(id).strays.resets_sent;
            *sent = u8::try_from(count).unwrap_or(u8::MAX).max(*sent);
        }
    }

    /// Something was seen arriving; its flow is in the direction of the SYN.
    fn observed(&mut self, observation: Wire) {
        let flow = &TupleKey::from(&observation.flow);
        let found =
            self.attempts.find(observation.isn, fits::SAME_TUPLE, |slot| observation_fits(slot, &observation, flow));
        match found {
            Some((id, _)) => {
                self.attempts.observed(id, &observation, flow);
                self.heard(id, observation.stamp.time_ns);
            }
            None => {
                if matches!(observation.packet, WIRE_SYN_ACK | WIRE_RST) {
                    self.answered_earlier(&observation);
                }
                self.hints.see(observation);
            }
        }
    }

    /// Notes what was seen before the attempt or its translated tuple was known; the ordinal if that shows a retransmit.
    pub(super) fn take_hints(&mut self, id: u32, time_ns: u64) -> Option<u32> {
        let slot = self.attempts.get(id);
        let (isn, transmissions) = (slot.isn, slot.transmissions);
        for observation in self.hints.seen(isn, time_ns) {
            let flow = &TupleKey::from(&observation.flow);
            if observation_fits(self.attempts.view(id), observation, flow).is_some() {
                self.attempts.observed(id, observation, flow);
                self.attempts.get_mut(id).heard(observation.stamp.time_ns);
            }
        }
        self.take_drops(id, time_ns);
        let after = self.attempts.get(id).transmissions;
        (after > transmissions).then(|| u32::from(after) - 1)
    }
}

fn observation_fits(slot: SlotView<'_>, observation: &Wire, flow: &TupleKey<'_>) -> Option<u8> {
    if observation.packet == WIRE_SYN {
        fits::arriving(slot, flow, observation.stamp.time_ns)
    } else {
        fits::answer(slot, flow)
    }
}
