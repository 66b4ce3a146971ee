//! `no_answer`: the SYN left this node, and no answer to it was seen.

use super::{Case, Cause, port_out_of_range, tuple_reused, wrong_source};
use crate::model::{SourceAddress, plural};

pub(super) const CAUSE: Cause = Cause {
    id: "no_answer",
    applies,
    explain,
    advice: "look at the destination (does it run, is its backlog full, does its firewall drop?) and at the path \
             (loss, a load balancer out of ports): if only one destination fails, suspect that destination; if all \
             fail, suspect the path; snatrace infer shows which ports are answered",
};

fn applies(case: &Case<'_>) -> bool {
    let attempt = case.attempt;
    let has_other_cause = attempt.rst_seen || attempt.icmp.is_some() || attempt.syn_ack_undelivered;
    // Where most SYNs were not seen leaving, silence says nothing about the path.
    let has_left = attempt.syns_leaving > 0 && attempt.syns_leaving.saturating_mul(2) >= case.sent_since();
    !has_other_cause && has_left && (attempt.retransmits > 0 || attempt.is_unanswered())
}

fn explain(case: &Case<'_>) -> String {
    let attempt = case.attempt;
    let (to, left) = (case.destination(), case.left());
    let mut text = if tuple_reused::is_check(case) {
        let challenges = attempt.egress.challenges;
        let at_least = if challenges.ports >= 8 { "at least " } else { "" };
        let arrived = match tuple_reused::arrived(case) {
            kinds if kinds.is_empty() => "segments that were not seen here".to_owned(),
            kinds => kinds.join(", "),
        };
        let end = if case.is_established() { "; a later SYN was accepted" } else { "" };
        format!(
            "{to} answered with {arrived} instead of a SYN-ACK at first, to SYNs from {at_least}{}: this looks like \
             a device that checks each client (DDoS protection), because older connections on all of these ports \
             are unlikely{end}",
            plural(challenges.ports, "port"),
        )
    } else if attempt.is_answered_unseen {
        format!(
            "the client sent more segments after the SYN had left {left}, so {to} answered by an interface that is \
             not watched; answers to earlier SYNs may have arrived there unseen too"
        )
    } else if attempt.strays.syns > 0 {
        format!(
            "{to} sent a SYN of its own to {} (simultaneous open) instead of a SYN-ACK: servers do not do that, so \
             look for a device in front of it",
            case.translated_source()
        )
    } else if attempt.syn_ack_seen || case.is_established() {
        format!(
            "{to} answered after the SYN had left {}; no answer to an earlier SYN was seen",
            plural(attempt.syns_leaving, "time")
        )
    } else {
        let doubt =
            source_doubt(case).or_else(|| nat_further_on(case)).map(|doubt| format!("; {doubt}")).unwrap_or_default();
        format!("the SYN left {left}, and no SYN-ACK, RST or ICMP error for it was seen{doubt}")
    };
    if let Some(evidence) = port_out_of_range::evidence(case) {
        text += "; ";
        text += &evidence;
    }
    if !case.has_hook("ct_drop") {
        text += "; packets that this node itself drops are not watched (ct_drop is off)";
    }
    text
}

/// The port that this node sees may not be that of the path.
fn nat_further_on(case: &Case<'_>) -> Option<String> {
    let is_of_interface = case.source() == SourceAddress::OfInterface && case.is_source_untouched();
    let is_later = is_of_interface && case.has_private_source() && !case.has_private_destination();
    is_later.then(|| {
        "the source is private: another NAT on the path, which is not watched, chooses the port that a filter sees"
            .to_owned()
    })
}

/// Why the source address may be the reason, where no other attempt shows whether it is.
fn source_doubt(case: &Case<'_>) -> Option<String> {
    let egress = &case.attempt.egress;
    if egress.source_is_answered {
        return None;
    }
    let leaves = case.interface();
    match case.source() {
        SourceAddress::OfInterface if wrong_source::is_private_among_public(case) => Some(format!(
            "the source is a private address of {leaves}, which has public ones too: no attempt shows whether the network translates it"
        )),
        SourceAddress::OfOtherInterface if wrong_source::is_wrong(case) => Some(format!(
            "the source is an address of {}: no attempt shows whether the network of {leaves} passes it",
            egress.source_interface
        )),
        SourceAddress::NotOfNode if wrong_source::is_wrong(case) => Some(format!(
            "no interface of this node has the source, an address of the network of {leaves}: unless this node answers for it (proxy ARP), no \
             answer can arrive"
        )),
        SourceAddress::NotOfNode if case.has_private_source() && case.is_source_untouched() => {
            let shown = match egress.like_source_is_answered {
                true => "other private sources that no rule changed were answered, but no attempt shows",
                false => "no attempt shows",
            };
            Some(format!("the source is the client's own: {shown} whether the network routes or translates it"))
        }
        SourceAddress::Unknown
        | SourceAddress::OfInterface
        | SourceAddress::OfOtherInterface
        | SourceAddress::NotOfNode => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::causes::testing::{applies_to, explained, failing, id_of, says};
    use crate::model::{Attempt, Egress, Outcome, Strays, example};

    #[test]
    fn a_private_source_that_nothing_here_changes_is_translated_elsewhere() {
        for (source, to, is_translated) in [
            ("10.42.0.7:4000", "203.0.113.80:443", true),
            ("10.42.0.7:4000", "10.9.9.9:443", false),
            ("192.0.2.1:4000", "203.0.113.80:443", false),
        ] {
            let own = Some(example::flow(source, to));
            let source = SourceAddress::OfInterface;
            let egress = Egress { source, source_is_answered: true, interface_is_private: true, ..Egress::default() };
            let attempt = Attempt { original: own, translated: own, nat_netns: None, egress, ..failing() };
            let text = "another NAT on the path, which is not watched";
            assert_eq!(explained(&CAUSE, &attempt).contains(text), is_translated, "{own:?}");
        }
    }

    #[test]
    fn a_syn_that_left_and_was_not_answered_has_no_answer() {
        let late = Attempt { syns_leaving: 2, retransmits: 7, ..failing() };
        let good = Attempt { syn_ack_seen: true, outcome: Outcome::Established, ..failing() };
        let undelivered = Attempt { syn_ack_undelivered: true, ..good.clone() };
        for (attempt, applies) in [
            (failing(), true),
            (Attempt { syns_leaving: 0, ..failing() }, false),
            (Attempt { rst_seen: true, ..failing() }, false),
            (late.clone(), false),
            // Those before the capture cannot have been seen.
            (Attempt { sent_before: 6, ..late }, true),
            // Loss that the retransmit makes good is no answer at first.
            (good, true),
            (Attempt { outcome: Outcome::Pending, ..undelivered.clone() }, false),
            // A machine behind this node that rejects what it gets: whether it accepted a later answer is not known.
            (Attempt { socket_netns: None, ..undelivered }, false),
        ] {
            assert_eq!(applies_to(&CAUSE, &attempt), applies, "{attempt:?}");
        }
    }

    #[test]
    fn an_answer_by_another_interface_and_a_syn_of_the_other_side_are_named() {
        let unseen = Attempt { is_answered_unseen: true, outcome: Outcome::Established, ..failing() };
        let open = Attempt { strays: Strays { syns: 2, ..Strays::default() }, ..failing() };
        assert_eq!((id_of(&unseen), id_of(&open)), (CAUSE.id, CAUSE.id));
        says(&CAUSE, &unseen, "answered by an interface that is not watched");
        says(&CAUSE, &open, "sent a SYN of its own");
    }

    #[test]
    fn a_source_is_not_said_of_syns_that_left_with_another_one() {
        let several = Attempt { syns_leaving: 3, ..failing() };
        says(&CAUSE, &several, "the SYN left 3 times as 192.0.2.1:40000 by ");
        let egress = Egress { is_mixed: true, ..several.egress };
        says(&CAUSE, &Attempt { egress, ..several }, "the SYN left 3 times, most recently as 192.0.2.1:40000 by ");
    }
}
