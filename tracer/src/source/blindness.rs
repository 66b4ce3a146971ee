//! Notices that the watched interfaces do not see what leaves: sockets retransmit their SYN, and no SYN is seen leaving meanwhile.

use tracer_common::Event;
use tracer_common::events::{WIRE_EGRESS, WIRE_SYN, Wire};

/// Sockets whose SYN was neither seen leaving nor dropped on this node.
const MIN_UNSEEN_SOCKETS: usize = 5;
/// For so long no SYN is seen leaving: sockets retransmit by the dozen in one tick of the timer, before the wire sees the first.
const SILENCE_NS: u64 = 500_000_000;
/// At least so long from one notice to the next.
const PAUSE_NS: u64 = 60_000_000_000;

/// By initial sequence number, the sockets that retransmitted since the last SYN that was seen leaving.
#[derive(Debug, Default)]
pub(super) struct Blindness {
    unseen: Vec<u32>,
    /// When the first of them did.
    since_ns: u64,
    not_before_ns: u64,
    has_seen: bool,
}

impl Blindness {
    /// Takes the next event; whether it is time to say that the watch is blind.
    pub(super) fn event(&mut self, event: &Event) -> bool {
        if let Event::SynRetransmit(sent) = event {
            self.retransmitted(sent.isn, sent.stamp.time_ns);
        } else if let Event::CtDrop(dropped) = event {
            self.unseen.retain(|isn| *isn != dropped.isn);
        } else if let Event::Wire(Wire { packet: WIRE_SYN, direction: WIRE_EGRESS, .. }) = event {
            self.has_seen = true;
            self.unseen.clear();
        } else if let Event::Tick(tick) = event {
            return self.is_due(tick.stamp.time_ns);
        }
        false
    }

    /// Whether a SYN was seen leaving since the start.
    #[cfg_attr(not(feature = "ebpf"), allow(dead_code, reason = "the live capture asks for it"))]
    pub(super) const fn has_seen(&self) -> bool {
        self.has_seen
    }

    fn retransmitted(&mut self, isn: u32, time_ns: u64) {
        if self.unseen.is_empty() {
            self.since_ns = time_ns;
        }
        if self.unseen.len() < MIN_UNSEEN_SOCKETS && !self.unseen.contains(&isn) {
            self.unseen.push(isn);
        }
    }

    fn is_due(&mut self, time_ns: u64) -> bool {
        let is_silent = time_ns >= self.since_ns.saturating_add(SILENCE_NS);
        let is_due = self.unseen.len() >= MIN_UNSEEN_SOCKETS && is_silent && time_ns >= self.not_before_ns;
        if is_due {
            self.unseen.clear();
            self.not_before_ns = time_ns + PAUSE_NS;
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use tracer_common::Flow;
    use tracer_common::events::{CtDrop, Stamp, SynRetransmit, Tick, WIRE_INGRESS};

    use super::*;

    const S: u64 = 1_000_000_000;

    fn sent(isn: u32, time_ns: u64) -> Event {
        let stamp = Stamp { time_ns, kind: SynRetransmit::KIND, netns: 9 };
        SynRetransmit { stamp, isn, ..bytemuck::Zeroable::zeroed() }.into()
    }

    fn wire(direction: u8) -> Event {
        let stamp = Stamp { time_ns: 1, kind: Wire::KIND, netns: 9 };
        let of = Wire { stamp, packet: WIRE_SYN, direction, flow: Flow::default(), ..bytemuck::Zeroable::zeroed() };
        of.into()
    }

    fn tick(time_ns: u64) -> Event {
        Tick { stamp: Stamp { time_ns, kind: Tick::KIND, netns: 0 } }.into()
    }

    fn is_said(events: impl IntoIterator<Item = Event>) -> usize {
        let mut blindness = Blindness::default();
        events.into_iter().filter(|event| blindness.event(event)).count()
    }

    /// Each event, a second after the one before, and a tick after it.
    fn ticked(events: impl IntoIterator<Item = Event>) -> impl Iterator<Item = Event> {
        (1..).zip(events).flat_map(|(second, event)| [event, tick(second * S)])
    }

    #[test]
    fn five_sockets_that_retransmit_unseen_are_said_once_a_minute() {
        assert_eq!(is_said(ticked((0..4).map(|isn| sent(isn, S)))), 0);
        assert_eq!(is_said(ticked((0..9).map(|_| sent(7, S)))), 0);
        assert_eq!(is_said(ticked((0..50).map(|isn| sent(isn, S)))), 1);
        assert_eq!(is_said(ticked((0..125).map(|isn| sent(isn, S)))), 3);
    }

    #[test]
    fn many_that_retransmit_at_once_are_seen_a_moment_later() {
        let burst = (0..50).map(|isn| sent(isn, S)).chain([tick(S), wire(WIRE_EGRESS), tick(2 * S)]);
        assert_eq!(is_said(burst), 0);
    }

    #[test]
    fn a_syn_that_is_seen_leaving_or_dropped_here_is_no_blindness() {
        let between = |event: Event| (0..50).flat_map(move |isn| [sent(isn, S), event]);
        assert_eq!(is_said(ticked(between(wire(WIRE_EGRESS)))), 0);
        assert_eq!(is_said(ticked(between(wire(WIRE_INGRESS)))), 2);
        let dropped = |isn| {
            let stamp = Stamp { time_ns: S, kind: CtDrop::KIND, netns: 9 };
            Event::from(CtDrop { stamp, isn, ..bytemuck::Zeroable::zeroed() })
        };
        assert_eq!(is_said(ticked((0..50).flat_map(|isn| [sent(isn, S), dropped(isn)]))), 0);
    }
}
