//! `reply_stolen`: the SYN-ACK came back to this node, and went to somebody else than the client.

use super::{Case, Cause};

pub(super) const CAUSE: Cause = Cause {
    id: "reply_stolen",
    applies,
    explain,
    advice: "something on this node takes packets to that port before NAT can translate them back: a NodePort or hostPort, a \
             load balancer in eBPF or XDP, a notrack rule; keep NAT out of those ports (--to-ports)",
};

fn applies(case: &Case<'_>) -> bool {
    let attempt = case.attempt;
    // Dropped for want of a socket: it was taken for a packet to the node itself.
    let to_node = case.reason(attempt.answer_dropped) == Some("NO_SOCKET") && attempt.answer_dropped.count > 0;
    let is_gone = attempt.is_unheard && attempt.answer_dropped.count == 0 && attempt.socket_netns.is_some();
    let is_stolen = attempt.is_reset_here || to_node || is_gone;
    attempt.syn_ack_seen && !case.is_established() && is_stolen
}

fn explain(case: &Case<'_>) -> String {
    let attempt = case.attempt;
    let port = attempt.translated.map_or(0, |translated| translated.src_port);
    let fate = if attempt.is_reset_here { "this node rejected it with an RST" } else { "the client never got it" };
    let nodeport = if (30000..=32767).contains(&port) { ", which is in the usual NodePort range" } else { "" };
    format!("the SYN-ACK of {} came back to port {port}{nodeport}, but {fate}", case.destination())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::causes::testing::{applies_to, failing};
    use crate::model::{Attempt, Dropped, Outcome};

    fn answered() -> Attempt {
        Attempt { syn_ack_seen: true, ..failing() }
    }

    #[test]
    fn an_answer_that_vanishes_on_this_node_is_stolen() {
        assert!(applies_to(&CAUSE, &Attempt { is_unheard: true, ..answered() }));
        assert!(applies_to(&CAUSE, &Attempt { is_reset_here: true, ..answered() }));
        let answer_dropped = Dropped { count: 1, reason: 2, ctinfo: 7 };
        assert!(applies_to(&CAUSE, &Attempt { answer_dropped, ..answered() }));
    }

    #[test]
    fn an_answer_that_is_dropped_for_another_reason_is_not() {
        let answer_dropped = Dropped { count: 1, reason: 6, ctinfo: 3 };
        let attempt = Attempt { answer_dropped, is_unheard: true, ..answered() };
        assert!(!applies_to(&CAUSE, &attempt));
    }

    #[test]
    fn without_an_answer_nothing_can_be_stolen() {
        assert!(!applies_to(&CAUSE, &failing()));
        assert!(!applies_to(&CAUSE, &answered()));
        assert!(!applies_to(&CAUSE, &Attempt { outcome: Outcome::Established, ..answered() }));
    }
}
