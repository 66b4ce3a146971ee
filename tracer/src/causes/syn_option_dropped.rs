//! `syn_option_dropped`: a device on the path drops SYNs that ask for ECN or MPTCP, or carry data; the plain retransmit gets through.

use super::{Case, Cause};
use crate::model::{FeatureCounts, SynFeatures, plural};

pub(super) const CAUSE: Cause = Cause {
    id: "syn_option_dropped",
    applies,
    explain,
    advice: "find the device that drops such SYNs; until then, in the client's network namespace, net.ipv4.tcp_ecn=2 (ECN only where \
             the other side asks for it), net.ipv4.tcp_fastopen without bit 1 (no data in SYNs) or net.mptcp.enabled=0",
};

fn applies(case: &Case<'_>) -> bool {
    let (attempt, egress) = (case.attempt, &case.attempt.egress);
    let is_answered = attempt.syn_ack_seen || case.is_established();
    attempt.retransmits > 0
        && egress.newest_syn.lacks_any_of(egress.first_syn)
        && is_answered
        // What came before the plain SYN was sent answered the first one.
        && (!attempt.syn_ack_undelivered || case.is_established())
        && !is_refuted(case)
}

/// One in five first SYNs of the kind is answered, so that loss, which comes in bursts, explains the others as well; or plain SYNs to the
/// destination are lost half as often: first ones, or retransmits.
fn is_refuted(case: &Case<'_>) -> bool {
    let others = case.attempt.egress.others;
    let lost = others.only_plain_answered.saturating_add(1);
    let share = |lost: u32, answered: u32| f64::from(lost) / (f64::from(lost) + f64::from(answered)).max(1.0);
    let are_lost = |plain: f64| plain >= share(lost, others.answered) / 2.0;
    others.answered.saturating_mul(4) >= lost
        || are_lost(share(others.plain_retransmitted, others.plain_answered))
        || others.plain_lost > 0 && are_lost(share(others.plain_lost, others.only_plain_answered))
}

/// Another attempt shows the same, and plain first SYNs get through: the path does not drop every first SYN.
const fn is_confirmed(others: FeatureCounts) -> bool {
    others.only_plain_answered > 0 && others.plain_answered > 0
}

fn explain(case: &Case<'_>) -> String {
    let egress = &case.attempt.egress;
    let (others, to) = (egress.others, case.destination());
    let asked = words(egress.first_syn, egress.newest_syn);
    let verb = if is_confirmed(others) { "drops" } else { "may drop" };
    let more = match (others.only_plain_answered, others.answered) {
        (0, 0) => String::new(),
        (plain, 0) => format!(" (likewise in {} to it)", plural(plain, "other attempt")),
        (plain, answered) => {
            format!(" (other attempts to it: {plain} likewise, {answered} whose first SYN was answered)")
        }
    };
    let plain = match (others.plain_answered, others.plain_answered.saturating_add(others.plain_retransmitted)) {
        (_, 0) => "; no first SYN without it was seen for comparison".to_owned(),
        (answered, all) => format!("; {answered} of {all} first SYNs without it were answered"),
    };
    format!(
        "the first SYN {asked} and was not answered, the retransmit without that was answered by {to}{more}{plain}: a device on the path \
         {verb} such SYNs"
    )
}

/// What the first SYN has and the newest one lacks.
pub(super) fn words(first: SynFeatures, newest: SynFeatures) -> String {
    let lost = [
        (first.ecn && !newest.ecn, "asked for ECN"),
        (first.data && !newest.data, "carried data"),
        (first.fast_open && !newest.fast_open, "asked for Fast Open"),
        (first.mptcp && !newest.mptcp, "asked for MPTCP"),
    ];
    let words: Vec<_> = lost.into_iter().filter_map(|(is_lost, words)| is_lost.then_some(words)).collect();
    words.join(" and ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::causes::testing::{applies_to, failing, id_of, says};
    use crate::model::{Attempt, Egress, Outcome};

    const NONE: FeatureCounts = FeatureCounts {
        answered: 0,
        only_plain_answered: 0,
        plain_lost: 0,
        plain_answered: 0,
        plain_retransmitted: 0,
        refused: 0,
        plain_refused: 0,
    };

    fn ecn(others: FeatureCounts) -> Attempt {
        let first_syn = SynFeatures { ecn: true, ..SynFeatures::default() };
        let egress = Egress { first_syn, others, ..Egress::default() };
        Attempt { egress, syn_ack_seen: true, outcome: Outcome::Established, ..failing() }
    }

    #[test]
    fn only_the_plain_retransmit_is_answered() {
        assert_eq!(id_of(&ecn(NONE)), CAUSE.id);
        says(&CAUSE, &ecn(NONE), "a device on the path may drop such SYNs");
        let many = ecn(FeatureCounts { only_plain_answered: 9, plain_answered: 5, ..NONE });
        for text in ["asked for ECN and was not answered", "9 other attempts", "a device on the path drops such SYNs"] {
            says(&CAUSE, &many, text);
        }
        let alone = ecn(FeatureCounts { only_plain_answered: 9, ..NONE });
        says(&CAUSE, &alone, "may drop such SYNs");
        says(&CAUSE, &alone, "for comparison");
    }

    #[test]
    fn loss_and_a_device_that_drops_plain_syns_too_are_another_reason() {
        let device = FeatureCounts { only_plain_answered: 9, ..NONE };
        let loss = FeatureCounts { answered: 5, only_plain_answered: 25, ..NONE };
        for (others, applies) in [
            (FeatureCounts { answered: 100, only_plain_answered: 1, ..NONE }, false),
            (FeatureCounts { answered: 1, ..device }, true),
            // Of bursts: a device that drops such SYNs passes none.
            (FeatureCounts { answered: 48, only_plain_answered: 64, ..NONE }, false),
            (FeatureCounts { plain_retransmitted: 1, ..device }, false),
            (FeatureCounts { plain_answered: 5, plain_retransmitted: 5, ..device }, false),
            (FeatureCounts { plain_answered: 50, plain_retransmitted: 5, ..device }, true),
            // Of 80 % loss: each plain SYN is lost as often.
            (FeatureCounts { plain_lost: 20, ..loss }, false),
            (FeatureCounts { plain_lost: 2, ..loss }, true),
        ] {
            assert_eq!(applies_to(&CAUSE, &ecn(others)), applies, "{others:?}");
        }
    }

    #[test]
    fn without_an_answer_or_with_the_same_retransmit_it_is_not() {
        let silent = Attempt { syn_ack_seen: false, outcome: Outcome::TimedOut, ..ecn(NONE) };
        assert!(!applies_to(&CAUSE, &silent));
        let one = ecn(NONE);
        let egress = Egress { newest_syn: one.egress.first_syn, ..one.egress };
        assert!(!applies_to(&CAUSE, &Attempt { egress, ..one }));
    }
}
