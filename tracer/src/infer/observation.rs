//! What an attempt is evidence of: that its translated port was answered, that it was not, or nothing.

use tracer_common::Flow;

use crate::model::{Attempt, LONG_WAIT_MS, RETRANSMIT_MS};

/// What was observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Observation {
    /// The SYN left with several ports, so the outcome cannot be assigned to one of them.
    ChangedPort,
    /// The client gave up before an answer was due.
    GaveUp,
    Port(Probe),
}

/// What became of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Probe {
    pub(crate) port: u16,
    pub(crate) answered: bool,
    /// Only an RST answered.
    pub(crate) is_refused: bool,
    /// When the first SYN was sent, seconds since boot.
    pub(crate) second: u64,
    /// How long the answer took, or how long its client waited for one.
    pub(crate) waited_ms: u16,
    /// It may be the port that the client chose. Those that NAT draws do not depend on the time.
    pub(crate) is_kept: bool,
    /// It counts though it repeats an earlier one: they may be of different nodes.
    pub(crate) is_of_counts: bool,
}

/// `None` for attempts that say nothing: the translated port is unknown, NAT did not translate the source of a client behind the node (such
/// a connection may take a path without the filter), or no answer was due yet.
pub(crate) fn observe(attempt: &Attempt) -> Option<Observation> {
    let translated = attempt.translated?;
    if attempt.is_translated() == Some(false) && !attempt.is_of_node() {
        return None;
    }
    let answered = attempt.is_answered();
    if !answered && !attempt.may_be_unanswered() {
        return attempt.is_given_up_early().then_some(Observation::GaveUp);
    }
    if attempt.selections > 1 && attempt.unanswered_ports().next().is_none() {
        return Some(Observation::ChangedPort);
    }
    let second = attempt.first_ns / 1_000_000_000;
    let (port, is_kept) = (translated.src_port, attempt.may_keep_port());
    let (is_refused, waited_ms) = (attempt.is_refused(), attempt.waited_ms());
    Some(Observation::Port(Probe { port, answered, is_refused, second, waited_ms, is_kept, is_of_counts: false }))
}

/// The shortest time that an answer of a destination took, in milliseconds; `None` where none came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ShortestAnswer(Option<u16>);

impl ShortestAnswer {
    pub(crate) fn answered_after(&mut self, waited_ms: u16) {
        self.0 = Some(self.0.map_or(waited_ms, |shortest| shortest.min(waited_ms)));
    }

    /// Whether a client that gave up may have done so before the answer came. Where none came, that may be as long as a SYN waits for
    /// its retransmit.
    pub(crate) fn is_too_early(self, waited_ms: u16) -> bool {
        waited_ms < self.0.map_or(RETRANSMIT_MS, |shortest| shortest.saturating_mul(2))
    }
}

/// The SYNs of an attempt that is evidence, with ports that NAT has changed since: none was answered.
pub(crate) fn earlier(attempt: &Attempt) -> impl Iterator<Item = (Flow, Probe)> + use<> {
    let second = attempt.first_ns / 1_000_000_000;
    let translated = attempt.translated.filter(|_| attempt.selections > 1);
    let probe = move |port| Probe {
        port,
        answered: false,
        is_refused: false,
        second,
        waited_ms: LONG_WAIT_MS,
        is_kept: false,
        is_of_counts: false,
    };
    attempt
        .unanswered_ports()
        .filter_map(move |port| translated.map(|translated| (Flow { src_port: port, ..translated }, probe(port))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Outcome, example};

    fn attempt() -> Attempt {
        example::attempt("10.42.0.7:51234", "203.0.113.80:443", "192.0.2.1:1200", "203.0.113.80:443")
    }

    fn answered(attempt: &Attempt) -> Option<bool> {
        match observe(attempt)? {
            Observation::ChangedPort | Observation::GaveUp => None,
            Observation::Port(probe) => Some(probe.answered),
        }
    }

    #[test]
    fn what_was_answered_or_not_counts_and_what_is_undecided_does_not() {
        assert_eq!(answered(&attempt()), Some(false));
        assert_eq!(answered(&Attempt { syn_ack_seen: true, ..attempt() }), Some(true));
        let waiting = Attempt { retransmits: 0, ..attempt() };
        assert_eq!(observe(&waiting), None);
        let last_ns = waiting.first_ns + 49_999_999;
        let gave_up = Attempt { outcome: Outcome::Closed, socket_netns: Some(7), last_ns, ..waiting };
        assert_eq!(observe(&gave_up), Some(Observation::GaveUp));
    }

    #[test]
    fn silence_counts_where_an_answer_was_due() {
        let closed = |retransmits, waited_ms: u64| {
            let (outcome, attempt) = (Outcome::Closed, attempt());
            let last_ns = attempt.first_ns + waited_ms * 1_000_000;
            Attempt { outcome, retransmits, last_ns, ..attempt }
        };
        for (attempt, shortest_ms, is_early) in [
            (closed(0, 100), Some(20), false),
            (closed(0, 250), Some(150), true),
            (closed(0, 900), None, true),
            (closed(1, 1100), None, false),
            (closed(1, 1100), Some(700), true),
            // The capture began later than the attempt.
            (closed(2, 10), None, false),
            (Attempt { outcome: Outcome::Pending, ..closed(1, 1000) }, Some(1500), false),
            (Attempt { socket_netns: None, ..closed(0, 100) }, Some(150), false),
        ] {
            assert_eq!(
                ShortestAnswer(shortest_ms).is_too_early(attempt.waited_ms()),
                is_early,
                "{attempt:?} {shortest_ms:?}"
            );
        }
        let answered = Attempt { syn_ack_seen: true, ..closed(0, 30) };
        assert_eq!(answered.waited_ms(), 30);
        assert_eq!(Attempt { sent_before: 1, ..answered }.waited_ms(), 0);
    }

    #[test]
    fn without_a_translated_port_nothing_is_said() {
        assert_eq!(observe(&Attempt { translated: None, ..attempt() }), None);
        let kept = Attempt { original: attempt().translated, nat_netns: None, ..attempt() };
        assert_eq!(observe(&kept), None);
        assert_eq!(answered(&Attempt { original: None, ..attempt() }), Some(false));
    }

    #[test]
    fn a_port_that_changed_is_left_out() {
        assert_eq!(observe(&Attempt { selections: 2, ..attempt() }), Some(Observation::ChangedPort));
    }
}
