//! Whether anything came back.

use crate::model::Attempt;

/// Whether the other side's answer reached this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A SYN-ACK or an RST came back: the path lets answers through to this port.
    Answered,
    /// The SYN was retransmitted, or the client waited for an answer and gave up, and no answer came back.
    Unanswered,
    /// It ended before an answer was due, or the trace did.
    Undecided,
}

impl Answer {
    /// The word in exported tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Unanswered => "unanswered",
            Self::Undecided => "undecided",
        }
    }

    /// Of an attempt in its final state.
    pub fn of(attempt: &Attempt) -> Self {
        if attempt.is_answered() {
            return Self::Answered;
        }
        if attempt.is_unanswered() { Self::Unanswered } else { Self::Undecided }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Dropped, Outcome, example};

    #[test]
    fn silence_counts_once_an_answer_was_due() {
        let attempt = example::attempt("10.42.0.7:5000", "203.0.113.80:443", "192.0.2.1:1200", "203.0.113.80:443");
        for (outcome, retransmits, syn_ack_seen, rst_seen, expected) in [
            (Outcome::Established, 0, false, false, Answer::Answered),
            (Outcome::Established, 3, true, false, Answer::Answered),
            (Outcome::Refused, 0, false, true, Answer::Answered),
            (Outcome::Closed, 1, true, false, Answer::Answered),
            (Outcome::Pending, 1, false, true, Answer::Answered),
            (Outcome::TimedOut, 0, false, false, Answer::Unanswered),
            (Outcome::Closed, 1, false, false, Answer::Unanswered),
            (Outcome::Pending, 2, false, false, Answer::Unanswered),
            (Outcome::Closed, 0, false, false, Answer::Unanswered),
            (Outcome::Pending, 0, false, false, Answer::Undecided),
        ] {
            let attempt = Attempt { outcome, retransmits, syn_ack_seen, rst_seen, ..attempt.clone() };
            assert_eq!(Answer::of(&attempt), expected, "{attempt:?}");
        }
        // This node dropped it, before TC (generic XDP): the path let it through.
        let answer_dropped = Dropped { count: 1, ..Dropped::default() };
        assert_eq!(Answer::of(&Attempt { answer_dropped, ..attempt }), Answer::Answered);
    }

    #[test]
    fn what_was_given_up_before_the_first_retransmit_counts_once_an_answer_was_due() {
        let attempt = example::attempt("10.42.0.7:5000", "203.0.113.80:443", "192.0.2.1:1200", "203.0.113.80:443");
        for (wait_ns, outcome, socket_netns, expected) in [
            (199_999_999, Outcome::Closed, Some(7), Answer::Undecided),
            (200_000_000, Outcome::Closed, Some(7), Answer::Unanswered),
            (200_000_000, Outcome::Closed, None, Answer::Undecided),
            (200_000_000, Outcome::Pending, Some(7), Answer::Undecided),
        ] {
            let last_ns = attempt.first_ns + wait_ns;
            let attempt = Attempt { retransmits: 0, last_ns, outcome, socket_netns, ..attempt.clone() };
            assert_eq!(Answer::of(&attempt), expected, "{wait_ns} ns, {outcome:?}, {socket_netns:?}");
        }
    }

    #[test]
    fn a_rule_of_this_node_that_rejects_is_no_answer_of_the_path() {
        let attempt = example::attempt("10.42.0.7:5000", "203.0.113.80:443", "192.0.2.1:1200", "203.0.113.80:443");
        let syn_dropped = Dropped { count: 1, ..Dropped::default() };
        let rejected = Attempt { outcome: Outcome::Refused, syn_dropped, ..attempt };
        assert_eq!(Answer::of(&rejected), Answer::Unanswered);
        assert_eq!(Answer::of(&Attempt { retransmits: 0, ..rejected.clone() }), Answer::Undecided);
        assert_eq!(Answer::of(&Attempt { rst_seen: true, ..rejected }), Answer::Answered);
    }
}
