//! `wrong_source`: the SYN leaves with a source address that does not belong where it leaves.
//!
//! The border to `not_translated`: here NAT, or the client, chose an address that is wrong for the interface; there nothing
//! changed the source at all.

use super::{Case, Cause};
use crate::model::{SourceAddress, plural};

pub(super) const CAUSE: Cause = Cause {
    id: "wrong_source",
    applies,
    explain,
    advice: "look at routes, policy rules (ip rule), fwmarks and SNAT rules with a fixed --to-source: traffic must \
             leave with the address of its uplink (MASQUERADE takes care of that); after a failover, delete the old \
             conntrack entries (conntrack -D -q ADDRESS), which keep the address of the former uplink",
};

fn applies(case: &Case<'_>) -> bool {
    let is_suspect = is_wrong(case) && case.is_source_silent() && (case.is_source_refuted() || !is_multihomed(case));
    case.left_unanswered() && (is_loopback(case) || is_suspect)
}

/// The address is that of another uplink, by which its answers may come (BGP), or of this one: then only attempts that were answered with another
/// one refute it.
const fn is_multihomed(case: &Case<'_>) -> bool {
    match case.attempt.egress.source {
        SourceAddress::OfOtherInterface => case.attempt.egress.source_interface_is_watched,
        // The network may translate it further on.
        SourceAddress::OfInterface => true,
        SourceAddress::NotOfNode | SourceAddress::Unknown => false,
    }
}

/// No network passes such an address (RFC 1122, 3.2.1.3; RFC 4291, 2.5.3), so one attempt is enough.
pub(super) fn is_loopback(case: &Case<'_>) -> bool {
    case.attempt.translated.is_some_and(|flow| flow.src_addr().is_loopback())
}

/// Whether the source address looks wrong for the interface.
pub(super) fn is_wrong(case: &Case<'_>) -> bool {
    // Traces before 1.4 know addresses of the beginning only.
    match case.attempt.egress.source {
        SourceAddress::Unknown => false,
        SourceAddress::OfInterface => is_private_among_public(case),
        // An address on lo, a dummy or a bridge may be meant for all uplinks; that of another uplink or NIC is not.
        SourceAddress::OfOtherInterface => case.attempt.egress.source_interface_is_uplink,
        // The network may route any other address to this node, as it does with pools of public addresses.
        SourceAddress::NotOfNode => {
            case.attempt.egress.source_is_on_link && case.is_translated() != Some(false) && !case.is_source_untouched()
        }
    }
}

/// Whether it leaves to a public address with a private one, by an interface that has public ones too: MASQUERADE takes an address of the
/// gateway's network.
pub(super) fn is_private_among_public(case: &Case<'_>) -> bool {
    let is_from_private = case.has_private_source() && !case.has_private_destination();
    is_from_private && case.source() == SourceAddress::OfInterface && !case.attempt.egress.interface_is_private
}

fn explain(case: &Case<'_>) -> String {
    let (attempt, egress) = (case.attempt, &case.attempt.egress);
    let (source, leaves) = (case.translated_source(), case.interface());
    if is_loopback(case) {
        return format!(
            "{} left by {leaves} with the source {source}, a loopback address, to which no network brings an answer: a connection of this \
             node to itself got another destination (DNAT) and kept its source, so it needs MASQUERADE or SNAT as well",
            case.syn()
        );
    }
    let whose = match egress.source {
        SourceAddress::OfOtherInterface => format!("an address of {}", egress.source_interface),
        SourceAddress::OfInterface => {
            format!(
                "a private address of {leaves}, which has public ones too (MASQUERADE takes an address of the gateway's network; SNAT --to-source names another)"
            )
        }
        SourceAddress::NotOfNode if egress.source_was_of_node => {
            format!("an address of the network of {leaves} that this node no longer has")
        }
        SourceAddress::NotOfNode | SourceAddress::Unknown => {
            format!("an address of the network of {leaves} that this node does not have")
        }
    };
    let first = match egress.first_interface {
        Some(first) if attempt.selections <= 1 => {
            format!("; its first SYN left by {first}, and the conntrack entry of that SYN keeps the source")
        }
        Some(first) => format!("; its first SYN left by {first}"),
        None => String::new(),
    };
    let unwatched = match egress.source {
        SourceAddress::OfOtherInterface if !egress.source_interface_is_watched => {
            format!("; {} is not watched, so an answer that arrives there is not seen", egress.source_interface)
        }
        SourceAddress::OfOtherInterface
        | SourceAddress::NotOfNode
        | SourceAddress::Unknown
        | SourceAddress::OfInterface => String::new(),
    };
    // What was answered while the node had the address says nothing about now.
    let before = if egress.source_was_of_node { " since" } else { "" };
    let at_least = if egress.attempts_with_source >= 8 { "at least " } else { "" };
    let others = match (case.is_source_refuted(), egress.source) {
        (true, SourceAddress::OfInterface) => {
            format!(
                ", while {} answered attempts that left with a public address of their interface, later or at the same time",
                case.destination()
            )
        }
        (true, _) => {
            format!(
                ", while {} answered later attempts that left with the address of their interface",
                case.destination()
            )
        }
        (false, SourceAddress::NotOfNode) => {
            "; unless this node answers for the address (proxy ARP), no answer can arrive".to_owned()
        }
        (false, SourceAddress::OfOtherInterface | SourceAddress::Unknown | SourceAddress::OfInterface) => {
            format!("; no attempt shows whether the network of {leaves} passes it")
        }
    };
    format!(
        "{} left by {leaves} with the source {source}, {whose}{first}; {at_least}{} with this source had no answer{before}{others}{unwatched}",
        case.syn(),
        plural(egress.attempts_with_source, "attempt")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::causes::no_answer;
    use crate::causes::testing::{applies_to, explained, failing, id_of, name, says};
    use crate::model::{Attempt, Egress, example};

    fn leaving(source: SourceAddress) -> Attempt {
        let egress = Egress {
            interface: name("wan2"),
            first_interface: Some(name("eth0")),
            source,
            source_interface: name("eth0"),
            source_interface_is_uplink: true,
            source_interface_is_watched: true,
            source_is_on_link: true,
            attempts_with_source: 3,
            own_source_is_answered: true,
            ..Egress::default()
        };
        Attempt { egress, ..failing() }
    }

    #[test]
    fn a_loopback_address_is_wrong_at_once() {
        let translated = Some(example::flow("127.0.0.1:40000", "203.0.113.80:443"));
        let egress = Egress { interface: name("eth0"), source: SourceAddress::NotOfNode, ..Egress::default() };
        let attempt = Attempt { translated, egress, ..failing() };
        assert_eq!(id_of(&attempt), CAUSE.id);
        says(&CAUSE, &attempt, "a loopback address");
    }

    #[test]
    fn a_private_address_beside_public_ones_is_wrong_where_those_are_answered() {
        let translated = Some(example::flow("10.0.0.5:40000", "203.0.113.80:443"));
        let attempt = Attempt { translated, ..leaving(SourceAddress::OfInterface) };
        assert_eq!(id_of(&attempt), CAUSE.id);
        let text = "answered attempts that left with a public address of their interface, later or at the same time";
        says(&CAUSE, &attempt, text);
        let of = |egress| Attempt { egress, ..attempt.clone() };
        let unknown = of(Egress { own_source_is_answered: false, ..attempt.egress });
        assert_eq!(id_of(&unknown), "no_answer");
        says(&no_answer::CAUSE, &unknown, "a private address of wan2, which has public ones too");
        assert!(!applies_to(&CAUSE, &of(Egress { interface_is_private: true, ..attempt.egress })));
        let inside = Some(example::flow("10.0.0.5:40000", "10.9.9.9:443"));
        assert!(!applies_to(&CAUSE, &Attempt { translated: inside, ..attempt.clone() }));
    }

    #[test]
    fn the_address_of_another_uplink_is_wrong() {
        let attempt = leaving(SourceAddress::OfOtherInterface);
        assert_eq!(id_of(&attempt), CAUSE.id);
        says(&CAUSE, &attempt, "the SYN left by wan2 with the source 192.0.2.1:40000, an address of eth0");
        says(&CAUSE, &attempt, "its first SYN left by eth0");
        assert!(!explained(&CAUSE, &attempt).contains("not watched"));
        let egress = Egress { source_interface_is_watched: false, ..attempt.egress };
        let unwatched = Attempt { egress, ..attempt };
        says(&CAUSE, &unwatched, "; eth0 is not watched, so an answer that arrives there is not seen");
    }

    #[test]
    fn an_address_for_all_uplinks_or_one_that_was_answered_is_not() {
        let attempt = leaving(SourceAddress::OfOtherInterface);
        let with = |egress| Attempt { egress, ..attempt.clone() };
        assert!(!applies_to(&CAUSE, &with(Egress { source_interface_is_uplink: false, ..attempt.egress })));
        assert!(!applies_to(&CAUSE, &with(Egress { source_is_answered: true, ..attempt.egress })));
        assert!(!applies_to(&CAUSE, &leaving(SourceAddress::OfInterface)));
        // All uplinks may announce the address; or nobody reaches the destination.
        let announced = Egress { own_source_is_answered: false, ..attempt.egress };
        for egress in [announced, Egress { attempts_with_source: 2, ..announced }] {
            assert_eq!(id_of(&with(egress)), "no_answer");
            says(&no_answer::CAUSE, &with(egress), "the source is an address of eth0");
        }
        assert!(!applies_to(&CAUSE, &Attempt { syn_ack_seen: true, ..attempt }));
    }

    #[test]
    fn where_nothing_else_was_tried_it_says_what_is_not_known() {
        for (source, doubt) in [
            (SourceAddress::OfOtherInterface, "no attempt shows whether the network of wan2 passes it"),
            (SourceAddress::NotOfNode, "unless this node answers for the address (proxy ARP)"),
        ] {
            let attempt = leaving(source);
            let egress = Egress { own_source_is_answered: false, source_interface_is_watched: false, ..attempt.egress };
            let attempt = Attempt { egress, ..attempt };
            assert_eq!(id_of(&attempt), CAUSE.id);
            says(&CAUSE, &attempt, doubt);
            let routed = Egress { source_is_answered: true, ..egress };
            assert!(!applies_to(&CAUSE, &Attempt { egress: routed, ..attempt }));
        }
    }

    #[test]
    fn an_address_of_nobody_here_is_wrong_only_if_nat_chose_it() {
        let attempt = leaving(SourceAddress::NotOfNode);
        assert!(applies_to(&CAUSE, &attempt));
        let with = |egress| Attempt { egress, ..attempt.clone() };
        assert!(!applies_to(&CAUSE, &with(Egress { source_is_on_link: false, ..attempt.egress })));
        let gone = with(Egress { source_was_of_node: true, ..attempt.egress });
        says(&CAUSE, &gone, "no longer has");
        says(&CAUSE, &gone, "had no answer since");
        let untouched = Attempt { translated: attempt.original, nat_netns: None, ..attempt };
        assert!(!applies_to(&CAUSE, &untouched));
    }
}
