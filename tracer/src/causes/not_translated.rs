//! `not_translated`: the SYN leaves with its original source, which is no address of this node, so that no host outside can answer.
//!
//! The border to `wrong_source`: here nothing changed the source; there NAT, or the client, chose one that is wrong.

use super::{Case, Cause};
use crate::model::SourceAddress;

pub(super) const CAUSE: Cause = Cause {
    id: "not_translated",
    applies,
    explain,
    advice: "no rule changed the source: unless the network routes such addresses, masquerade such connections \
             (look for a mark that another program clears, or an exception that covers the destination, such as \
             nonMasqueradeCIDRs or an ipBlock)",
};

/// Where the network may translate the source, so many destinations that do not answer.
const SILENT_DESTINATIONS: u32 = 3;

fn applies(case: &Case<'_>) -> bool {
    let attempt = case.attempt;
    let is_silent = attempt.retransmits > 0 && attempt.syns_leaving > 0 && !case.heard_back();
    // Where such sources are answered, the network routes them; inside a tunnel it is meant to.
    let is_routed = attempt.egress.source_is_answered || case.is_in_tunnel();
    // A public address is as a rule routed here.
    let is_suspect = case.has_private_source() && (case.is_source_refuted() || is_left_out(case));
    is_silent && !is_routed && is_suspect && case.is_source_untouched() && case.source() == SourceAddress::NotOfNode
}

/// The rules of this node translate other attempts of its kind; or they leave them all out, and nothing speaks for a network that translates
/// them further on (the NAT gateway of a cloud).
fn is_left_out(case: &Case<'_>) -> bool {
    let egress = &case.attempt.egress;
    // Networks of clouds translate pods; and a private node is behind a NAT itself. Then the destination may be dead, if it is but one.
    let may_be_passed = egress.interface_is_private || case.attempt.socket_netns.is_some();
    let is_passed =
        egress.like_source_is_answered || may_be_passed && egress.destinations_with_source < SILENT_DESTINATIONS;
    !case.has_private_destination() && (egress.like_source_is_translated || egress.has_nat_rules && !is_passed)
}

fn explain(case: &Case<'_>) -> String {
    let rules =
        if case.has_dnat() { "DNAT changed the destination, no rule the source" } else { "no NAT rule matched" };
    let others = match case.is_source_refuted() {
        true => {
            format!(", while {} answered later attempts that left with an address of this node", case.destination())
        }
        false => String::new(),
    };
    format!(
        "{} left by {} with its original source {}, which is no address of this node ({rules}), and no answer to it was seen{others}",
        case.syn(),
        case.interface(),
        case.translated_source()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::causes::testing::{applies_to, capture, failing};
    use crate::model::{Attempt, Capture, Egress, HookState, example};

    /// A pod whose source nothing changes.
    fn pod() -> Attempt {
        let pod = example::attempt("10.42.0.7:4000", "203.0.113.80:443", "10.42.0.7:4000", "203.0.113.80:443");
        let egress = Egress { has_nat_rules: true, destinations_with_source: 3, ..Egress::default() };
        Attempt { nat_netns: None, selections: 0, egress, ..pod }
    }

    #[test]
    fn without_nat_rules_or_where_others_like_it_are_answered_the_network_may_translate_it() {
        let rules = pod().egress;
        for (egress, applies) in [
            (Egress { has_nat_rules: false, ..rules }, false),
            (Egress { like_source_is_answered: true, ..rules }, false),
            (Egress { destinations_with_source: 2, ..rules }, false),
            (Egress { interface_is_private: true, ..rules }, true),
            (Egress { like_source_is_translated: true, ..Egress::default() }, true),
        ] {
            let attempt = Attempt { egress, ..pod() };
            assert_eq!(applies_to(&CAUSE, &attempt), applies, "{egress:?}");
            // A machine behind this node is no pod of a cloud.
            let machine = Attempt { socket_netns: None, ..attempt.clone() };
            let is_left_out = egress.has_nat_rules && !egress.like_source_is_answered || applies;
            assert_eq!(applies_to(&CAUSE, &machine), is_left_out, "{egress:?}");
            let refuted = Egress { attempts_with_source: 3, own_source_is_answered: true, ..egress };
            assert!(applies_to(&CAUSE, &Attempt { egress: refuted, ..attempt }));
        }
    }

    #[test]
    fn a_pod_that_leaves_with_its_own_address_is_not_translated() {
        assert!(applies_to(&CAUSE, &pod()));
        assert!(!applies_to(&CAUSE, &Attempt { translated: None, ..pod() }));
        assert!(!applies_to(&CAUSE, &Attempt { retransmits: 0, ..pod() }));
        assert!(!applies_to(&CAUSE, &Attempt { syn_ack_seen: true, ..pod() }));
        assert!(!applies_to(&CAUSE, &failing()));
    }

    #[test]
    fn a_public_address_of_a_pod_is_routed() {
        let pod = example::attempt("203.0.113.10:4000", "198.51.100.80:443", "203.0.113.10:4000", "198.51.100.80:443");
        assert!(!applies_to(&CAUSE, &Attempt { nat_netns: None, selections: 0, ..pod }));
    }

    #[test]
    fn a_socket_of_the_node_has_the_right_address() {
        let node = example::attempt("192.0.2.1:4000", "203.0.113.80:443", "192.0.2.1:4000", "203.0.113.80:443");
        assert!(!applies_to(&CAUSE, &Attempt { nat_netns: None, ..node }));
    }

    #[test]
    fn a_forwarded_syn_needs_no_socket_here_but_somebody_who_reads_its_entry() {
        let public = example::attempt("203.0.113.7:4000", "203.0.113.80:443", "203.0.113.7:4000", "203.0.113.80:443");
        let forwarded = Attempt { original: None, socket_netns: None, nat_netns: None, selections: 0, ..public };
        let egress = Egress { source: SourceAddress::NotOfNode, ..pod().egress };
        let forwarded = Attempt { egress, ..forwarded };
        assert!(!applies_to(&CAUSE, &forwarded));
        let nat_bind = HookState { stem: "nat_bind".to_owned(), off: None };
        let capture = Capture { hooks: vec![nat_bind], ..capture() };
        // The network routes it.
        assert!(!applies(&Case::new(&forwarded, &capture)));
        // No rule chooses a private address that the node does not have.
        assert!(applies_to(&CAUSE, &Attempt { original: None, socket_netns: None, egress, ..pod() }));
    }

    #[test]
    fn a_neighbour_that_was_answered_or_a_tunnel_shows_that_the_network_routes_it() {
        let egress = Egress { source_is_answered: true, ..Egress::default() };
        assert!(!applies_to(&CAUSE, &Attempt { egress, ..pod() }));
        let inside = example::attempt("10.42.0.7:4000", "10.42.1.8:80", "10.42.0.7:4000", "10.42.1.8:80");
        let egress = Egress { encapsulates: true, ..Egress::default() };
        let inside = Attempt { nat_netns: None, selections: 0, ..inside };
        assert!(!applies_to(&CAUSE, &Attempt { egress, ..inside }));
    }

    #[test]
    fn a_private_destination_may_be_dead_where_the_network_routes_pods() {
        let inside = example::attempt("10.42.0.7:4000", "10.42.1.8:80", "10.42.0.7:4000", "10.42.1.8:80");
        let inside = Attempt { nat_netns: None, selections: 0, ..inside };
        let capture = capture();
        let case = Case::new(&inside, &capture);
        assert_eq!(crate::causes::cause_of(&case).id, "no_answer");
        let explained = (crate::causes::cause_of(&case).explain)(&case);
        assert!(explained.contains("the source is the client's own"), "{explained}");
        let egress = Egress { attempts_with_source: 3, own_source_is_answered: true, ..inside.egress };
        let inside = Attempt { egress, ..inside };
        assert!(applies_to(&CAUSE, &inside));
        assert!(explain(&Case::new(&inside, &capture)).ends_with("left with an address of this node"));
    }

    #[test]
    fn dnat_is_not_denied() {
        let pod = Attempt { original: Some(example::flow("10.42.0.7:4000", "10.96.0.20:80")), ..pod() };
        let explained = explain(&Case::new(&pod, &capture()));
        assert!(explained.contains("DNAT changed the destination, no rule the source"), "{explained}");
    }
}
