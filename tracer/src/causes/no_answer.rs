//! `no_answer`: the SYN left this node, and nothing came back for it.

use super::case::times;
use super::{Case, Cause};

pub(super) const CAUSE: Cause = Cause {
    id: "no_answer",
    applies,
    explain,
    advice: "nothing on this node is wrong: look at the destination (does it run, is its backlog full, does its firewall drop?) \
             and the path; failures to one destination point at it, failures to all at the path",
};

fn applies(case: &Case<'_>) -> bool {
    let attempt = case.attempt;
    let was_lost_here = attempt.is_unheard && !case.is_established();
    let has_other_cause = attempt.rst_seen || attempt.icmp.is_some() || was_lost_here;
    !has_other_cause && attempt.syns_leaving > 0 && attempt.retransmits > 0
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
    use crate::causes::testing::{applies_to, failing};
    use crate::model::{Attempt, Outcome};

    #[test]
    fn a_syn_that_left_and_was_not_answered_has_no_answer() {
        assert!(applies_to(&CAUSE, &failing()));
        assert!(!applies_to(&CAUSE, &Attempt { syns_leaving: 0, ..failing() }));
        assert!(!applies_to(&CAUSE, &Attempt { rst_seen: true, ..failing() }));
    }

    #[test]
    fn loss_that_the_retransmit_makes_good_is_no_answer_at_first() {
        let late = Attempt { syn_ack_seen: true, outcome: Outcome::Established, ..failing() };
        assert!(applies_to(&CAUSE, &late));
        assert!(!applies_to(&CAUSE, &Attempt { is_unheard: true, outcome: Outcome::Pending, ..late }));
    }
}
