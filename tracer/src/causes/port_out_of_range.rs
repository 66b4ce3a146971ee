//! `port_out_of_range`: a filter drops return traffic to the translated port, by the evidence of the capture.

use super::{Case, Cause};
use crate::model::{Claim, Reason, Side, Strength};

pub(super) const CAUSE: Cause = Cause {
    id: "port_out_of_range",
    applies,
    explain,
    advice: "have the filter allow 1024-65535 for established connections, or let the NAT rule choose only ports that \
             the filter passes (--to-ports LO-HI, nft: masquerade to :LO-HI): snatrace doctor names the rule and has the commands",
};

fn applies(case: &Case<'_>) -> bool {
    is_candidate(case) && case.strength().is_some_and(Strength::holds)
}

/// Whether it would be the cause if the evidence said so.
pub(super) fn is_candidate(case: &Case<'_>) -> bool {
    // What came back to this very port got through the filter. Inside the cluster no filter of a provider is in the way.
    let is_silent = case.attempt.may_be_unanswered() && !case.heard_back();
    // A SYN with another port was answered: same client, same server, same moment.
    let is_of_node = || case.attempt.is_of_node() && !case.is_in_tunnel();
    (is_silent || is_of_earlier(case)) && (is_of_nat(case) || is_of_node()) && case.may_have_left()
}

/// Whether the SYN was retransmitted and its translated port is outside the policy.
pub(super) fn is_outside(case: &Case<'_>) -> bool {
    let is_outside = |port: u16| !case.allowed.contains(port);
    (case.attempt.translated.is_some_and(|translated| is_outside(translated.src_port))
        || case.attempt.earlier_ports.iter().any(is_outside))
        && case.attempt.retransmits > 0
        && is_of_nat(case)
}

fn is_of_nat(case: &Case<'_>) -> bool {
    case.is_translated() == Some(true) && !case.is_in_tunnel()
}

fn explain(case: &Case<'_>) -> String {
    let verb = match case.strength() {
        Some(Strength::Proven) => "drops",
        Some(Strength::Supported | Strength::NoneYet | Strength::Contradicted) | None => "seems to drop",
    };
    let evidence = evidence(case).unwrap_or_default();
    // From here, a SYN that is dropped for its source port looks like an answer that is dropped for its destination port.
    let later = match () {
        () if is_of_earlier(case) => later(case),
        () if case.attempt.is_of_node() => {
            "; the socket of this node chose the port (net.ipv4.ip_local_port_range), not NAT".to_owned()
        }
        () => String::new(),
    };
    format!(
        "a filter on the path {verb} SYNs from port {0}, or the return traffic to it: {evidence}{later}",
        port(case)
    )
}

/// The port in question is that of an earlier SYN.
fn is_of_earlier(case: &Case<'_>) -> bool {
    case.attempt.translated.is_some_and(|translated| translated.src_port != port(case))
}

/// What became of the newest SYN, whose port is another.
fn later(case: &Case<'_>) -> String {
    let newest = case.attempt.translated.map_or(0, |translated| translated.src_port);
    let fared = if case.attempt.is_answered() { "was answered" } else { "was not answered either" };
    format!("; NAT chose port {newest} for a later SYN, which {fared}")
}

/// Where the port is by the policy, or by the inferred range where the policy does not hold, and what speaks for or against a filter;
/// `None` where the attempt is not flagged and no range is inferred.
pub(super) fn evidence(case: &Case<'_>) -> Option<String> {
    let assessment = case.assessment.filter(|assessment| assessment.claim != Claim::Refused)?;
    let is_ipv4 = case.attempt.translated.is_none_or(|flow| flow.is_ipv4());
    let words = assessment.words(case.allowed, &case.destination());
    let (port, policy) = (port(case), case.capture.policy.words(is_ipv4));
    let at = if assessment.reason == Reason::PortChanged && assessment.side == Side::Inside {
        "an earlier port of it was".to_owned()
    } else {
        format!("port {port} is")
    };
    Some(match case.inferred {
        Some(range) => format!(
            "port {port} is outside {range}, the range inferred from this capture; {policy} is another one; {words}"
        ),
        None => format!("{at} outside {policy}; {words}"),
    })
}

fn port(case: &Case<'_>) -> u16 {
    case.attempt.port_in_question(case.allowed).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::causes::{cause_of, is_flagged};
    use crate::model::{Assessment, Attempt, Capture, Claim, Egress, Scope, example};

    /// The cause, and whether it is flagged, where it is proven that a filter drops such ports.
    fn judged(attempt: &Attempt) -> (bool, bool) {
        let capture = example::capture("node7");
        let case = Case::new(attempt, &capture).assessed(Some(example::PROVEN), None);
        (applies(&case), is_flagged(&case))
    }

    fn attempt(translated: &str) -> Attempt {
        example::attempt("10.42.0.7:51234", "203.0.113.80:443", translated, "203.0.113.80:443")
    }

    #[test]
    fn port_below_range_is_flagged() {
        let outside = || attempt("192.0.2.1:1200");
        let routed = Attempt { original: None, nat_netns: None, ..attempt("198.51.100.9:1200") };
        let of_host = example::attempt("192.0.2.1:1200", "203.0.113.80:443", "192.0.2.1:1200", "203.0.113.80:443");
        let of_host = Attempt { nat_netns: None, ..of_host };
        let of_node = Attempt { socket_netns: Some(7), uplink_netns: Some(7), ..of_host.clone() };
        for (attempt, expected) in [
            (attempt("192.0.2.1:32767"), (true, true)),
            // What was answered was let through.
            (Attempt { syn_ack_seen: true, ..outside() }, (false, true)),
            (Attempt { retransmits: 0, ..outside() }, (false, false)),
            (of_host, (false, false)),
            // A forwarded SYN is translated only if it has an address of the node.
            (Attempt { original: None, nat_netns: None, ..outside() }, (true, true)),
            (routed, (false, false)),
            // A socket of the node is never flagged. A pod whose address NAT leaves alone may take a path without the filter.
            (of_node.clone(), (true, false)),
            (Attempt { socket_netns: Some(8), ..of_node.clone() }, (false, false)),
        ] {
            assert_eq!(judged(&attempt), expected, "{attempt:?}");
        }
        let capture = example::capture("node7");
        let inside = attempt("192.0.2.1:32768");
        assert!(!applies(&Case::new(&inside, &capture)) && !is_flagged(&Case::new(&inside, &capture)));
        let explained = explain(&Case::new(&of_node, &capture).assessed(Some(example::PROVEN), None));
        let text = "; the socket of this node chose the port (net.ipv4.ip_local_port_range), not NAT";
        assert!(explained.ends_with(text), "{explained}");
    }

    #[test]
    fn a_port_outside_of_an_inferred_range_names_that_range() {
        let (capture, range) = (example::capture("node7"), "10000-19999".parse().unwrap());
        let attempt = attempt("192.0.2.1:40000");
        let assessment =
            Assessment { claim: Claim::Inferred, scope: Scope::Capture, side: Side::Inside, ..example::PROVEN };
        let case = Case::new(&attempt, &capture).assessed(Some(assessment), Some(&range));
        assert!(applies(&case) && !is_flagged(&case));
        expect_test::expect!["a filter on the path drops SYNs from port 40000, or the return traffic to it: port 40000 is outside 10000-19999, the range inferred from this capture; the assumed range 32768-65535 (default) is another one; over destinations tried from both sides, 0 of 31 attempts from ports outside were answered, and 29 of 29 from ports in the range (by chance: p < 1e-12)"].assert_eq(&explain(&case));
    }

    #[test]
    fn a_syn_that_no_uplink_saw_is_flagged_but_the_filter_is_not_to_blame() {
        let inside = Attempt { syns_leaving: 0, ..attempt("192.0.2.1:1200") };
        let capture = example::capture("node7");
        let case = Case::new(&inside, &capture).assessed(Some(example::PROVEN), None);
        assert!(case.has_hook("wire") && is_flagged(&case));
        assert_eq!((applies(&case), cause_of(&case).id), (false, "unknown"));
        let blind = Capture { hooks: Vec::new(), ..capture };
        assert!(applies(&Case::new(&inside, &blind).assessed(Some(example::PROVEN), None)));
    }

    #[test]
    fn inside_a_tunnel_no_filter_of_a_provider_sees_the_port() {
        let inside = |to: &str| {
            let egress = Egress { encapsulates: true, ..Egress::default() };
            Attempt { egress, ..example::attempt("10.42.0.7:51234", to, "10.42.0.0:1200", to) }
        };
        assert_eq!(judged(&inside("10.42.1.8:80")), (false, false));
        // A VPN may be the way to everywhere, and its provider may filter.
        assert_eq!(judged(&inside("203.0.113.80:443")), (true, true));
    }
}
