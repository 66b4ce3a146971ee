//! `port_out_of_range`: the translated port is one that the filter does not let answers through to.

use super::{Case, Cause, Verdict};

pub(super) const CAUSE: Cause = Cause {
    id: "port_out_of_range",
    judge,
    explain,
    advice: "have the filter allow 1024-65535 for established connections, or let the NAT rule choose ports from the \
             allowed range only (--to-ports LO-HI, nft: masquerade to :LO-HI): snatrace doctor names the rule and has the commands",
};

fn judge(case: &Case<'_>) -> Verdict {
    match is_outside(case) {
        // The answer found its way to this very port, so the filter lets it through.
        Verdict::Yes if case.is_answered() || case.is_established() => Verdict::No,
        // Inside the cluster no filter of a provider is in the way.
        Verdict::Yes if !case.may_have_left() => Verdict::NotYet,
        verdict @ (Verdict::Yes | Verdict::No | Verdict::NotYet) => verdict,
    }
}

/// Whether the SYN was sent again and its translated port is outside the allowed ones.
pub(super) fn is_outside(case: &Case<'_>) -> Verdict {
    match (case.attempt.translated, case.is_translated()) {
        (None, _) | (Some(_), None) => Verdict::NotYet,
        (Some(_), Some(false)) => Verdict::No,
        (Some(translated), Some(true)) if case.allowed.contains(translated.src_port) => Verdict::No,
        (Some(_), Some(true)) if case.attempt.retransmits == 0 => Verdict::NotYet,
        (Some(_), Some(true)) => Verdict::Yes,
    }
}

fn explain(case: &Case<'_>) -> String {
    let port = case.attempt.translated.map_or(0, |translated| translated.src_port);
    format!("NAT chose source port {port}, and only {} are let through", case.allowed)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;
    use crate::model::{Attempt, example};

    fn verdict(attempt: &Attempt) -> Verdict {
        let capture = example::capture("node7");
        judge(&Case::new(attempt, &capture))
    }

    fn attempt(translated: &str) -> Attempt {
        let attempt = example::attempt("10.42.0.7:51234", "203.0.113.80:443", translated, "203.0.113.80:443");
        Attempt { retransmits: 1, ..attempt }
    }

    #[test]
    fn port_below_range_is_flagged() {
        assert_eq!(verdict(&attempt("192.0.2.1:32767")), Verdict::Yes);
        assert_eq!(verdict(&attempt("192.0.2.1:32768")), Verdict::No);
    }

    #[test]
    fn a_port_that_was_answered_is_let_through_but_flagged() {
        let answered = Attempt { syn_ack_seen: true, ..attempt("192.0.2.1:1200") };
        assert_eq!(verdict(&answered), Verdict::No);
        assert!(crate::causes::is_flagged(&Case::new(&answered, &example::capture("node7"))));
    }

    #[test]
    fn a_syn_that_no_uplink_saw_is_flagged_but_the_filter_is_not_to_blame() {
        let inside = Attempt { syns_leaving: 0, ..attempt("192.0.2.1:1200") };
        let capture = crate::causes::testing::capture();
        let case = Case::new(&inside, &capture);
        assert!(case.has_hook("wire") && crate::causes::is_flagged(&case));
        assert_eq!((judge(&case), crate::causes::judge(&case).id), (Verdict::NotYet, "unknown"));
        let blind = crate::model::Capture { hooks: Vec::new(), ..capture };
        assert_eq!(judge(&Case::new(&inside, &blind)), Verdict::Yes);
    }

    #[test]
    fn a_syn_that_was_not_sent_again_is_not_flagged() {
        assert_eq!(verdict(&Attempt { retransmits: 0, ..attempt("192.0.2.1:1200") }), Verdict::NotYet);
    }

    #[test]
    fn a_source_that_was_not_translated_is_not_flagged() {
        let host = example::attempt("192.0.2.1:1200", "203.0.113.80:443", "192.0.2.1:1200", "203.0.113.80:443");
        assert_eq!(verdict(&Attempt { retransmits: 1, nat_netns: None, ..host }), Verdict::No);
    }

    #[test]
    fn a_forwarded_syn_is_flagged_only_if_it_has_an_address_of_the_node() {
        let forwarded = Attempt { original: None, nat_netns: None, ..attempt("192.0.2.1:1200") };
        assert_eq!(verdict(&forwarded), Verdict::Yes);
        let routed = Attempt { original: None, nat_netns: None, ..attempt("198.51.100.9:1200") };
        assert_eq!(verdict(&routed), Verdict::NotYet);
    }
}
