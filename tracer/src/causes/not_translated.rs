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
    // Where such sources are answered, the network routes them; inside a tunnel it is meant to.
    let is_routed = case.attempt.egress.source_is_answered || case.is_in_tunnel();
    // A public address is as a rule routed here.
    let is_suspect = case.has_private_source() && (case.is_source_refuted() || is_left_out(case));
    case.left_unanswered()
        && !is_routed
        && is_suspect
        && case.is_source_untouched()
        && case.source() == SourceAddress::NotOfNode
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
    use crate::causes::no_answer;
    use crate::causes::testing::{applies_to, capture, failing, id_of, says};
    use crate::model::{Attempt, Capture, Egress, HookState, example};

    /// An attempt whose source nothing changes.
    fn untouched(src: &str, dst: &str) -> Attempt {
        let egress = Egress { has_nat_rules: true, destinations_with_source: 3, ..Egress::default() };
        Attempt { nat_netns: None, selections: 0, egress, ..example::attempt(src, dst, src, dst) }
    }

    fn pod() -> Attempt {
        untouched("10.42.0.7:4000", "203.0.113.80:443")
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
        let answered_neighbour = Egress { source_is_answered: true, ..pod().egress };
        let in_tunnel = Egress { encapsulates: true, ..Egress::default() };
        for (attempt, applies) in [
            (pod(), true),
            (Attempt { translated: None, ..pod() }, false),
            (Attempt { retransmits: 0, ..pod() }, false),
            (Attempt { syn_ack_seen: true, ..pod() }, false),
            (failing(), false),
            // A public address of a pod is routed; a socket of the node has the right address.
            (untouched("203.0.113.10:4000", "198.51.100.80:443"), false),
            (untouched("192.0.2.1:4000", "203.0.113.80:443"), false),
            // The network routes such addresses.
            (Attempt { egress: answered_neighbour, ..pod() }, false),
            (Attempt { egress: in_tunnel, ..untouched("10.42.0.7:4000", "10.42.1.8:80") }, false),
        ] {
            assert_eq!(applies_to(&CAUSE, &attempt), applies, "{attempt:?}");
        }
        let original = Some(example::flow("10.42.0.7:4000", "10.96.0.20:80"));
        let with_dnat = Attempt { original, ..pod() };
        says(&CAUSE, &with_dnat, "DNAT changed the destination, no rule the source");
    }

    #[test]
    fn a_forwarded_syn_needs_no_socket_here_but_somebody_who_reads_its_entry() {
        let egress = Egress { source: SourceAddress::NotOfNode, ..pod().egress };
        let forwarded = |attempt| Attempt { original: None, socket_netns: None, egress, ..attempt };
        let public = forwarded(untouched("203.0.113.7:4000", "203.0.113.80:443"));
        assert!(!applies_to(&CAUSE, &public));
        let nat_bind = HookState { stem: "nat_bind".to_owned(), off: None };
        let capture = Capture { hooks: vec![nat_bind], ..capture() };
        // The network routes it.
        assert!(!applies(&Case::new(&public, &capture)));
        // No rule chooses a private address that the node does not have.
        assert!(applies_to(&CAUSE, &forwarded(pod())));
    }

    #[test]
    fn a_private_destination_may_be_dead_where_the_network_routes_pods() {
        let inside = Attempt { egress: Egress::default(), ..untouched("10.42.0.7:4000", "10.42.1.8:80") };
        assert_eq!(id_of(&inside), "no_answer");
        says(&no_answer::CAUSE, &inside, "the source is the client's own");
        let egress = Egress { attempts_with_source: 3, own_source_is_answered: true, ..inside.egress };
        let inside = Attempt { egress, ..inside };
        assert!(applies_to(&CAUSE, &inside));
        says(&CAUSE, &inside, "left with an address of this node");
    }
}
