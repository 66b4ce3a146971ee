//! `reply_stolen`: the SYN-ACK came back to this node, and went to somebody else than the client.

use super::{Case, Cause, Verdict};

pub(super) const CAUSE: Cause = Cause {
    id: "reply_stolen",
    judge,
    explain,
    advice: "something on this node takes packets to that port before NAT can translate them back: a NodePort or hostPort, a \
             load balancer in eBPF or XDP, a notrack rule; keep NAT out of those ports (--to-ports)",
};

fn judge(case: &Case<'_>) -> Verdict {
    let attempt = case.attempt;
    if !attempt.syn_ack_seen || case.is_established() {
        return Verdict::No;
    }
    // Dropped for want of a socket: it was taken for a packet to the node itself.
    let to_node = case.reason(attempt.answer_dropped) == Some("NO_SOCKET") && attempt.answer_dropped.count > 0;
    let is_gone = attempt.is_unheard && attempt.answer_dropped.count == 0 && attempt.socket_netns.is_some();
    if attempt.is_reset_here || to_node || is_gone {
        Verdict::Yes
    } else if case.is_pending() {
        Verdict::NotYet
    } else {
        Verdict::No
    }
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
    use crate::causes::testing::{failing, verdict};
    use crate::model::{Attempt, Dropped, Outcome};

    fn answered() -> Attempt {
        Attempt { syn_ack_seen: true, ..failing() }
    }

    #[test]
    fn an_answer_that_vanishes_on_this_node_is_stolen() {
        assert_eq!(verdict(&CAUSE, &Attempt { is_unheard: true, ..answered() }), Verdict::Yes);
        assert_eq!(verdict(&CAUSE, &Attempt { is_reset_here: true, ..answered() }), Verdict::Yes);
        let answer_dropped = Dropped { count: 1, reason: 2, ctinfo: 7 };
        assert_eq!(verdict(&CAUSE, &Attempt { answer_dropped, ..answered() }), Verdict::Yes);
    }

    #[test]
    fn an_answer_that_is_dropped_for_another_reason_is_not() {
        let answer_dropped = Dropped { count: 1, reason: 6, ctinfo: 3 };
        let attempt = Attempt { answer_dropped, is_unheard: true, ..answered() };
        assert_eq!(verdict(&CAUSE, &attempt), Verdict::NotYet);
    }

    #[test]
    fn without_an_answer_nothing_can_be_stolen() {
        assert_eq!(verdict(&CAUSE, &failing()), Verdict::No);
        assert_eq!(verdict(&CAUSE, &answered()), Verdict::NotYet);
        assert_eq!(verdict(&CAUSE, &Attempt { outcome: Outcome::Established, ..answered() }), Verdict::No);
    }
}
