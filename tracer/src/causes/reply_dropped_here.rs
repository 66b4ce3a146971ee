//! `reply_dropped_here`: the SYN-ACK came back to this node, and this node dropped it.

use super::{Case, Cause};
use crate::model::plural;

pub(super) const CAUSE: Cause = Cause {
    id: "reply_dropped_here",
    applies,
    explain,
    advice: "this node drops the answer itself; IP_RPFILTER: the route back uses another interface (sysctl \
             net.ipv4.conf.*.rp_filter=2); NETFILTER_DROP: a rule drops it; *_CSUM: its checksum is wrong; \
             TC_INGRESS, XDP: a program on the interface drops it; NO_SOCKET without conntrack entry: the entry was \
             deleted, or timed out before the answer came (nf_conntrack_tcp_timeout_syn_sent); another MAC address: \
             the gateway has a stale neighbour entry",
};

fn applies(case: &Case<'_>) -> bool {
    let attempt = case.attempt;
    // Where the client got the only SYN-ACK that arrived, a copy of it was dropped.
    let was_delivered = case.is_established() && attempt.syn_ack_seen && !attempt.syn_ack_undelivered;
    case.answers_dropped() > 0 && !was_delivered || case.is_for_other_mac()
}

fn explain(case: &Case<'_>) -> String {
    if case.is_for_other_mac() {
        return format!(
            "{} answered, and the SYN-ACK arrived with the MAC address of another host, which this node does not accept: the gateway has a \
             wrong neighbour (ARP) entry for {}",
            case.destination(),
            case.translated_source()
        );
    }
    let dropped = case.attempt.answer_dropped;
    let count = plural(u32::from(dropped.count), "SYN-ACK");
    let (to, why) = (case.destination(), case.reason_words(dropped));
    if case.is_without_entry() {
        return format!(
            "{to} answered, but no conntrack entry translated the SYN-ACK back to the client: this node took it for its own and dropped \
             {count}: {why}"
        );
    }
    if case.attempt.is_answer_from_elsewhere {
        return format!(
            "another address answered in place of {to}, as in direct server return without NAT: no connection here \
             expects answers from that address, and this node dropped {count}: {why}"
        );
    }
    format!("{to} answered, and this node dropped {count}: {why}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::causes::testing::{applies_to, dropped, failing, id_of, says};
    use crate::model::{Attempt, Outcome, Strays};

    #[test]
    fn an_answer_that_this_node_drops_is_its_own_fault() {
        let answered = Attempt { syn_ack_seen: true, ..failing() };
        assert!(!applies_to(&CAUSE, &failing()) && !applies_to(&CAUSE, &answered));
        let dropped_answer = Attempt { answer_dropped: dropped(1, 6, 3), ..answered.clone() };
        assert!(applies_to(&CAUSE, &dropped_answer));
        let established = Attempt { outcome: Outcome::Established, ..dropped_answer.clone() };
        assert!(!applies_to(&CAUSE, &established), "the client got the answer, so a copy of it was dropped");
        assert!(applies_to(&CAUSE, &Attempt { syn_ack_undelivered: true, ..established }));
        says(&CAUSE, &dropped_answer, "this node dropped 1 SYN-ACK: NETFILTER_DROP");

        let strays = Strays { for_other_mac: 2, ..Strays::default() };
        let other_mac = Attempt { syn_ack_undelivered: true, strays, ..answered.clone() };
        assert_eq!(id_of(&other_mac), CAUSE.id);
        says(&CAUSE, &other_mac, "MAC address of another host");
        let strays = Strays { without_entry: 1, ..Strays::default() };
        let no_entry = Attempt { strays, answer_dropped: dropped(1, 2, 3), ..answered };
        says(&CAUSE, &no_entry, "no conntrack entry translated the SYN-ACK back");
        let elsewhere = Attempt { is_answer_from_elsewhere: true, ..dropped_answer };
        says(&CAUSE, &elsewhere, "another address answered in place of");
    }
}
