//! `unknown`: no observed event shows the cause.

use super::{Case, Cause, port_out_of_range};
use crate::model::{Watch, is_private, plural};

pub(super) const CAUSE: Cause = Cause {
    id: "unknown",
    applies: |_| true,
    explain,
    advice: "watch the interface that the SYN should leave through (--iface), check which hooks are off, or follow \
             one SYN by its sequence number (isn) with tcpdump",
};

fn explain(case: &Case<'_>) -> String {
    let attempt = case.attempt;
    let evidence = port_out_of_range::evidence(case).map(|evidence| format!("; {evidence}")).unwrap_or_default();
    if attempt.strays.left_again > 0 && attempt.syn_ack_undelivered {
        let count = plural(attempt.strays.left_again, "SYN-ACK");
        let to = case.destination();
        return format!(
            "{to} answered, and {count} left this node again by an uplink: the route to the client leads to the outside \
             (ip route get CLIENT from SERVER iif UPLINK){evidence}"
        );
    }
    let seen = match attempt.syns_leaving {
        0 if case.sent_since() == 0 => "all before its first event here: the capture began later, or events were lost",
        0 if case.attempt.egress.watch == Watch::Incomplete => {
            "it was not seen being dropped, and it may have left unseen: not every uplink was watched all the time"
        }
        0 if case.has_hook("wire") => "it was neither seen leaving an uplink nor being dropped",
        0 => "no interface is watched",
        left if left.saturating_mul(2) < case.sent_since() => {
            "most of its SYNs were neither seen leaving an uplink nor being dropped"
        }
        _ if attempt.syn_ack_undelivered => {
            "a SYN-ACK arrived, and the client retransmitted its SYN, so it did not get the SYN-ACK or did not \
             accept it; no drop of the SYN-ACK was seen, so where it went is not known (check the path from this \
             node to the client: route, the client's firewall, programs in TC or XDP)"
        }
        _ => "what was seen fits no known cause",
    };
    let inside = match attempt.original.filter(|_| attempt.syns_leaving == 0 && attempt.translated.is_none()) {
        Some(flow) if is_private(&flow.dst) => {
            "; if the destination is on this node, check whether it gets the SYN and has a route back"
        }
        Some(_) | None => "",
    };
    format!("no observation explains why the SYN was sent {} times: {seen}{inside}{evidence}", case.sent())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::causes::testing::{explained, failing, id_of, says};
    use crate::model::{Attempt, Strays, example};

    #[test]
    fn a_private_destination_may_be_on_this_node() {
        for (dst, is_private) in [("10.42.0.8:80", true), ("203.0.113.80:80", false)] {
            let original = Some(example::flow("10.42.0.7:4000", dst));
            let attempt = Attempt { syns_leaving: 0, original, translated: None, ..failing() };
            assert_eq!(explained(&CAUSE, &attempt).contains("if the destination is on this node"), is_private);
        }
    }

    #[test]
    fn only_what_nothing_else_explains_is_unknown() {
        let unseen = Attempt { syns_leaving: 0, ..failing() };
        let vanished = Attempt { syn_ack_seen: true, syn_ack_undelivered: true, ..failing() };
        let strays = Strays { left_again: 2, ..Strays::default() };
        let left_again = Attempt { strays, ..vanished.clone() };
        for (attempt, text) in [
            (unseen, "neither seen leaving"),
            (vanished, "so where it went is not known"),
            (left_again, "2 SYN-ACKs left this node again by an uplink"),
        ] {
            assert_eq!(id_of(&attempt), CAUSE.id);
            says(&CAUSE, &attempt, text);
        }
        assert_ne!(id_of(&failing()), CAUSE.id);
    }
}
