//! `reply_stolen`: the SYN-ACK came back to this node, and something else than the client was seen to get it.

use super::case::NO_SOCKET;
use super::{Case, Cause};

pub(super) const CAUSE: Cause = Cause {
    id: "reply_stolen",
    applies,
    explain,
    advice: "look for what takes packets to that port before NAT translates them back: a NodePort or hostPort, a load balancer in eBPF \
             or XDP, a transparent proxy, a notrack rule; keep NAT out of those ports (--to-ports)",
};

fn applies(case: &Case<'_>) -> bool {
    let attempt = case.attempt;
    // Dropped for want of a socket, or by a socket that listens: it was taken for a packet to a socket of this node.
    let to_node = case.answers_dropped() > 0 && (is_unwanted(case) || attempt.is_answer_diverted);
    let is_taken = attempt.is_reset_here || to_node;
    is_taken && attempt.syn_ack_seen && !case.is_established() && !case.is_without_entry()
}

/// It reached a port where no socket listens, or a listening socket, which accepts no SYN-ACK.
fn is_unwanted(case: &Case<'_>) -> bool {
    matches!(case.reason(case.attempt.answer_dropped), Some(NO_SOCKET | LISTENER))
}

/// A listening socket drops a segment that is neither SYN nor ACK of a handshake for this reason.
const LISTENER: &str = "TCP_FLAGS";

fn explain(case: &Case<'_>) -> String {
    let attempt = case.attempt;
    let port = attempt.translated.map_or(0, |translated| translated.src_port);
    let by_listener = attempt.answer_dropped.count > 0 && case.reason(attempt.answer_dropped) == Some(LISTENER);
    let fate = match () {
        () if attempt.is_reset_here && attempt.is_answer_diverted => {
            "it was delivered to an address or port other than the client's, which rejected it with an RST"
        }
        () if attempt.is_reset_here => "this node rejected it with an RST",
        () if by_listener => "it was delivered to a listening socket on this node instead of the client",
        () if attempt.is_answer_diverted => {
            "it was sent to an address or port other than the client's, and dropped there"
        }
        () => "no socket on this node matched it, and it did not reach the client",
    };
    let nodeport = if (30000..=32767).contains(&port) { ", which is in the usual NodePort range" } else { "" };
    let port = if attempt.egress.is_mixed {
        "a port that one of its SYNs left from".to_owned()
    } else {
        format!("port {port}{nodeport}")
    };
    // NAT chose another port for each SYN, and more than one of them was answered.
    let has_several_ports =
        attempt.answer_dropped.count > 1 && attempt.selections > 1 && attempt.selections >= case.sent();
    let doubt = if has_several_ports {
        "; the same happened on other ports, so the port is not the reason: look for another pod or host with the client's address"
    } else {
        ""
    };
    format!("the SYN-ACK of {} came back to {port}, but {fate}{doubt}", case.destination())
}

#[cfg(test)]
mod tests {
    use tracer_common::events::NO_ENTRY;

    use super::*;
    use crate::causes::cause_of;
    use crate::causes::testing::{applies_to, capture, dropped, explained, failing, id_of, says};
    use crate::model::{Attempt, Capture, Outcome, Strays};

    fn answered() -> Attempt {
        Attempt { syn_ack_seen: true, ..failing() }
    }

    #[test]
    fn an_answer_that_something_else_got_is_stolen() {
        let other_reason = Attempt { answer_dropped: dropped(1, 6, 3), ..answered() };
        for (attempt, is_stolen) in [
            (Attempt { is_reset_here: true, ..answered() }, true),
            (Attempt { answer_dropped: dropped(1, 2, 7), ..answered() }, true),
            (Attempt { is_answer_diverted: true, ..other_reason.clone() }, true),
            (Attempt { syn_ack_undelivered: true, ..other_reason }, false),
            (failing(), false),
            (answered(), false),
            (Attempt { outcome: Outcome::Established, ..answered() }, false),
        ] {
            assert_eq!(applies_to(&CAUSE, &attempt), is_stolen, "{attempt:?}");
        }
        let vanished = Attempt { syn_ack_undelivered: true, ..answered() };
        assert_eq!(id_of(&vanished), "unknown", "nothing was seen to get it");
    }

    #[test]
    fn an_answer_that_finds_no_conntrack_entry_is_not_stolen() {
        let strays = Strays { without_entry: 1, ..Strays::default() };
        let gone = Attempt { is_reset_here: true, answer_dropped: dropped(1, 2, NO_ENTRY), strays, ..answered() };
        assert_eq!(id_of(&gone), "reply_dropped_here");
        let no_reason = Attempt { answer_dropped: dropped(1, 0, NO_ENTRY), ..gone.clone() };
        assert_eq!(id_of(&no_reason), "reply_dropped_here");
        assert_eq!(id_of(&Attempt { strays: Strays::default(), ..gone }), CAUSE.id);
    }

    #[test]
    fn a_thief_that_listens_drops_it_for_its_flags() {
        let capture = Capture { drop_reasons: vec![(30, "TCP_FLAGS".to_owned())], ..capture() };
        let attempt = Attempt { answer_dropped: dropped(2, 30, 0), ..answered() };
        let case = Case::new(&attempt, &capture);
        assert_eq!(cause_of(&case).id, CAUSE.id);
        assert!(explain(&case).ends_with("a listening socket on this node instead of the client"));
    }

    #[test]
    fn where_each_syn_had_another_port_the_port_is_not_the_reason() {
        let attempt = |selections| Attempt { answer_dropped: dropped(2, 2, 0), selections, ..answered() };
        says(&CAUSE, &attempt(2), "look for another pod or host with the client's address");
        assert!(!explained(&CAUSE, &attempt(1)).contains("another pod"));
    }
}
