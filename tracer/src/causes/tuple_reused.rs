//! `tuple_reused`: the server answers for an older connection with the same addresses and ports.

use super::{Case, Cause};
use crate::model::{ChallengeCounts, plural};

pub(super) const CAUSE: Cause = Cause {
    id: "tuple_reused",
    applies,
    explain,
    advice: "the server, or a device in front of it, may still hold an older connection with these addresses and \
             ports: --random-fully and more addresses or ports in the NAT rule make reuse rarer, and with \
             tcp_timestamps=1 at both ends a server in TIME_WAIT accepts a new SYN; do not shorten \
             nf_conntrack_tcp_timeout_time_wait here, because this node would reuse ports that the server still \
             holds; if it happens on ports that were not in use before, look for a device that checks clients (DDoS \
             protection)",
};

fn applies(case: &Case<'_>) -> bool {
    case.attempt.retransmits > 0 && case.attempt.strays.is_of_older() && !is_check(case)
}

/// Whether a device checks each client, as DDoS protection does: it answers the first SYNs of most attempts so, from many ports. Reuse hits all
/// ports only where the clients choose them, and then the tuple stays taken.
pub(super) fn is_check(case: &Case<'_>) -> bool {
    /// Random ports that were all in use before are unlikely.
    const MIN_PORTS: u32 = 4;
    let ChallengeCounts { ports, attempts, others } = case.attempt.egress.challenges;
    let is_of_most = ports >= MIN_PORTS && others < attempts.max(ports);
    let may_be_chosen = case.attempt.may_keep_port() && !case.is_established();
    case.attempt.strays.is_of_older() && is_of_most && !may_be_chosen
}

fn explain(case: &Case<'_>) -> String {
    let strays = case.attempt.strays;
    let (to, source) = (case.destination(), case.translated_source());
    let (syn, port) = match case.attempt.egress.is_mixed {
        true => ("a SYN of this attempt".to_owned(), "the port that it left from".to_owned()),
        false => {
            let port = case.attempt.translated.map_or(0, |flow| flow.src_port);
            (format!("the SYN from {source}"), format!("port {port}"))
        }
    };
    let arrived = match arrived(case) {
        kinds if kinds.is_empty() => "a segment that was not seen here".to_owned(),
        kinds => kinds.join(", "),
    };
    let reset = match strays.resets_sent {
        0 => "",
        _ => "; this node answered with an RST",
    };
    let end = if case.is_established() {
        format!("; a later SYN was accepted, after {}", plural(case.attempt.retransmits, "retransmit"))
    } else {
        String::new()
    };
    // A firewall may reject so, too.
    let or_firewall = if strays.acks == 0 && strays.syn_acks == 0 && strays.rsts > 0 {
        ", or from a firewall that rejects"
    } else {
        ""
    };
    format!(
        "{to} answered {syn} with {arrived}, as for an older connection with these addresses and ports, or from a device that checks clients{or_firewall}, so return \
         traffic does reach {port}{reset}{end}"
    )
}

/// What arrived and acknowledges another SYN or none, by kind.
pub(super) fn arrived(case: &Case<'_>) -> Vec<String> {
    let strays = case.attempt.strays;
    let kinds = [
        (strays.acks, "ACK that does not acknowledge it", "ACKs that do not acknowledge it"),
        (strays.syn_acks, "SYN-ACK for another SYN", "SYN-ACKs for another SYN"),
        (strays.rsts, "RST that does not acknowledge it", "RSTs that do not acknowledge it"),
        (strays.syns, "SYN without ACK", "SYNs without ACK"),
    ];
    let words = |(count, one, many): (u8, &str, &str)| {
        (count > 0).then(|| format!("{count} {}", if count == 1 { one } else { many }))
    };
    kinds.into_iter().filter_map(words).collect()
}

#[cfg(test)]
mod tests {
    use tracer_common::Flow;

    use super::*;
    use crate::causes::testing::{applies_to, failing, id_of, says};
    use crate::model::{Attempt, Egress, Outcome, Strays};

    fn challenged() -> Attempt {
        Attempt { strays: Strays { acks: 2, resets_sent: 2, ..Strays::default() }, ..failing() }
    }

    #[test]
    fn any_segment_that_does_not_acknowledge_the_syn_is_of_an_older_connection() {
        assert!(!applies_to(&CAUSE, &failing()));
        assert_eq!(id_of(&challenged()), CAUSE.id);
        says(&CAUSE, &challenged(), "2 ACKs that do not acknowledge it");
        says(&CAUSE, &challenged(), "this node answered with an RST");
        let unseen = Attempt { strays: Strays { resets_sent: 1, ..Strays::default() }, ..failing() };
        assert!(applies_to(&CAUSE, &unseen));
        says(&CAUSE, &unseen, "a segment that was not seen here");
        for strays in [Strays { syn_acks: 1, ..Strays::default() }, Strays { rsts: 1, ..Strays::default() }] {
            let attempt = Attempt { strays, syn_ack_seen: true, outcome: Outcome::Established, ..failing() };
            assert!(applies_to(&CAUSE, &attempt));
            says(&CAUSE, &attempt, "a later SYN was accepted, after 1 retransmit");
        }
    }

    #[test]
    fn a_destination_that_answers_so_on_every_port_checks_its_clients() {
        let challenges = ChallengeCounts { ports: 4, attempts: 0, others: 3 };
        let checked = Attempt { egress: Egress { challenges, ..challenged().egress }, ..challenged() };
        assert_eq!(id_of(&checked), "no_answer");
        let with = |challenges| Attempt { egress: Egress { challenges, ..checked.egress }, ..checked.clone() };
        assert_eq!(id_of(&with(ChallengeCounts { ports: 3, ..challenges })), CAUSE.id);
        assert_eq!(id_of(&with(ChallengeCounts { others: 4, ..challenges })), CAUSE.id);
        let original = checked.original.map(|flow| Flow { src_port: 40000, ..flow });
        let kept = Attempt { original, ..checked };
        assert_eq!(id_of(&kept), CAUSE.id, "the client may have chosen ports that it had before");
        assert_eq!(id_of(&Attempt { outcome: Outcome::Established, ..kept }), "no_answer");
    }

    #[test]
    fn an_answer_that_this_node_loses_comes_first() {
        assert_eq!(id_of(&Attempt { is_reset_here: true, syn_ack_seen: true, ..challenged() }), "reply_stolen");
    }
}
