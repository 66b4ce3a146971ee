//! `no_answer`: the SYN left this node, and nothing came back for it.

use super::case::times;
use super::{Case, Cause, Verdict};

pub(super) const CAUSE: Cause = Cause {
    id: "no_answer",
    judge,
    explain,
    advice: "nothing on this node is wrong: look at the destination (does it run, is its backlog full, does its firewall drop?) \
             and the path; failures to one destination point at it, failures to all at the path",
};

fn judge(case: &Case<'_>) -> Verdict {
    let attempt = case.attempt;
    let was_lost_here = attempt.is_unheard && !case.is_established();
    if attempt.rst_seen || attempt.icmp.is_some() || was_lost_here {
        Verdict::No
    } else if attempt.syns_leaving == 0 || attempt.retransmits == 0 {
        Verdict::NotYet
    } else {
        Verdict::Yes
    }
}

fn explain(case: &Case<'_>) -> String {
    let (to, left) = (case.destination(), case.attempt.syns_leaving);
    if case.attempt.syn_ack_seen || case.is_established() {
        return format!(
            "{to} answered only after the SYN had left {}: one before or its answer was lost on the way",
            times(left, "time", "times")
        );
    }
    let left = times(left, "time", "times");
    format!("the SYN left {left} as {}, and nothing came back from {to}", case.translated_source())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::causes::testing::{failing, verdict};
    use crate::model::{Attempt, Outcome};

    #[test]
    fn a_syn_that_left_and_was_not_answered_has_no_answer() {
        assert_eq!(verdict(&CAUSE, &failing()), Verdict::Yes);
        assert_eq!(verdict(&CAUSE, &Attempt { syns_leaving: 0, ..failing() }), Verdict::NotYet);
        assert_eq!(verdict(&CAUSE, &Attempt { rst_seen: true, ..failing() }), Verdict::No);
    }

    #[test]
    fn loss_that_the_retransmit_makes_good_is_no_answer_at_first() {
        let late = Attempt { syn_ack_seen: true, outcome: Outcome::Established, ..failing() };
        assert_eq!(verdict(&CAUSE, &late), Verdict::Yes);
        assert_eq!(verdict(&CAUSE, &Attempt { is_unheard: true, outcome: Outcome::Pending, ..late }), Verdict::No);
    }
}
