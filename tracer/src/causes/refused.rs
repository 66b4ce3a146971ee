//! `refused`: an RST came back.

use super::case::NO_SOCKET;
use super::{Case, Cause, syn_option_dropped};
use crate::model::{Assessment, Claim, FeatureCounts, Outcome, Reason, SynFeatures, plural};

pub(super) const CAUSE: Cause = Cause {
    id: "refused",
    applies,
    explain,
    advice: "nothing listens there, or a firewall rejects with an RST: check the destination's address and port, \
             and that the server runs; if this node refused, check its REDIRECT and DNAT rules; if only some source \
             ports are refused, have the firewall accept 1024-65535",
};

fn applies(case: &Case<'_>) -> bool {
    let attempt = case.attempt;
    attempt.rst_seen || attempt.outcome == Outcome::Refused && attempt.icmp.is_none() && !is_rejected_here(case)
}

/// A rule on this node that rejects drops the SYN and has the client refused too. So does a pod or socket of this node where
/// no socket listens, and there the kernel names no rule (before 5.17 it gives no reason at all).
fn is_rejected_here(case: &Case<'_>) -> bool {
    let dropped = case.attempt.syn_dropped;
    dropped.count > 0 && case.reason(dropped).is_some_and(|reason| reason != NO_SOCKET)
}

fn explain(case: &Case<'_>) -> String {
    let asked = case.destination();
    let has_no_socket = case.reason(case.attempt.syn_dropped) == Some(NO_SOCKET);
    if !case.attempt.rst_seen && case.attempt.syns_leaving == 0 && has_no_socket {
        return format!(
            "this node refused the connection to {asked} itself: the SYN reached it or one of its namespaces, and \
             no socket listens there (NO_SOCKET); the address belongs to this node or to such a namespace, or a \
             rule (REDIRECT, DNAT) leads there"
        );
    }
    let seen = if case.attempt.rst_seen { "its RST came back" } else { "the socket got ECONNREFUSED" };
    let why = by_port(case).or_else(|| by_option(case)).unwrap_or_default();
    format!("{asked} refused the connection: {seen}{why}")
}

/// SYNs that ask for something are refused, and plain ones are not.
fn by_option(case: &Case<'_>) -> Option<String> {
    let egress = &case.attempt.egress;
    let FeatureCounts { answered, refused, plain_answered, plain_refused, .. } = egress.others;
    let asked = syn_option_dropped::words(egress.first_syn, SynFeatures::default());
    let is_it = !asked.is_empty() && refused > 0 && refused == answered && plain_refused == 0 && plain_answered > 0;
    is_it.then(|| {
        format!(
            "; its SYN {asked}: this destination refused {} with such a SYN too, and answered {} with a plain SYN, \
             so a device in front of it may refuse such SYNs",
            plural(refused, "other attempt"),
            plural(plain_answered, "attempt"),
        )
    })
}

/// A firewall refuses by source port.
fn by_port(case: &Case<'_>) -> Option<String> {
    let Assessment { claim: Claim::Refused, reason: Reason::SidesDiffer { p_below }, inside, outside, .. } =
        case.assessment?
    else {
        return None;
    };
    let (range, port) = (case.inferred?, case.attempt.translated?.src_port);
    Some(format!(
        "; port {port} is outside {range}: an RST answered {} of {} attempts from ports outside and {} of {} \
         from ports inside (by chance: p < 1e-{p_below}), so connections are reset by their source port",
        outside.unanswered,
        outside.total(),
        inside.unanswered,
        inside.total(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::causes::testing::{applies_to, capture, dropped, explained, failing, id_of, says};
    use crate::model::{Attempt, Egress};

    #[test]
    fn an_rst_that_arrives_refuses_and_a_rule_of_this_node_that_rejects_does_not() {
        let refused = Attempt { outcome: Outcome::Refused, ..failing() };
        let by_rule = Attempt { syn_dropped: dropped(1, 6, 2), ..refused.clone() };
        let without_reason = Attempt { syn_dropped: dropped(1, 0, 2), ..refused.clone() };
        for (attempt, applies) in [
            (Attempt { rst_seen: true, ..failing() }, true),
            (failing(), false),
            (Attempt { outcome: Outcome::TimedOut, ..failing() }, false),
            (refused, true),
            (by_rule, false),
            (without_reason, true),
        ] {
            assert_eq!(applies_to(&CAUSE, &attempt), applies, "{attempt:?}");
        }
    }

    #[test]
    fn what_the_syn_asked_for_is_named_where_plain_ones_are_answered() {
        let attempt = |plain_refused| {
            let others =
                FeatureCounts { answered: 5, refused: 5, plain_answered: 9, plain_refused, ..FeatureCounts::default() };
            let first_syn = SynFeatures { ecn: true, ..SynFeatures::default() };
            Attempt { rst_seen: true, egress: Egress { first_syn, others, ..Egress::default() }, ..failing() }
        };
        let text = "its SYN asked for ECN: this destination refused 5 other attempts with such a SYN too";
        says(&CAUSE, &attempt(0), text);
        assert!(explained(&CAUSE, &attempt(1)).ends_with("its RST came back"));
    }

    #[test]
    fn a_port_of_this_node_where_nobody_listens_refuses() {
        let refused = Attempt { outcome: Outcome::Refused, retransmits: 0, syns_leaving: 0, ..failing() };
        let refused = Attempt { syn_dropped: dropped(1, 2, 2), ..refused };
        assert_eq!(capture().drop_reasons[0], (2, NO_SOCKET.to_owned()));
        assert_eq!(id_of(&refused), CAUSE.id);
        says(&CAUSE, &refused, "this node refused the connection to 203.0.113.80:443 itself");
    }
}
