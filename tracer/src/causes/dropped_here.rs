//! `dropped_here`: the SYN did not leave this node: a rule, a queue, a neighbour that does not answer.

use super::{Case, Cause};
use crate::model::plural;

pub(super) const CAUSE: Cause = Cause {
    id: "dropped_here",
    applies,
    explain,
    advice: "this node drops the SYN itself: NETFILTER_DROP is a rule (nft list ruleset, iptables-save), or NAT itself where the route has \
             moved to another uplink, NEIGH_* a next hop that does not answer (ip neighbour), QDISC_* or TC_* a queue or filter \
             (tc -s qdisc), IP_*ROUTES the routing table",
};

/// `EBUSY`: the SYN before still waits on this node, which happens under load.
const EBUSY: i32 = -16;

fn applies(case: &Case<'_>) -> bool {
    case.is_mostly_dropped() || is_not_sent(case)
}

/// The socket itself failed to send its SYN.
fn is_not_sent(case: &Case<'_>) -> bool {
    let attempt = case.attempt;
    attempt.send_errors > attempt.retransmits && attempt.send_errno != EBUSY && !case.heard_back()
}

fn explain(case: &Case<'_>) -> String {
    let dropped = case.attempt.syn_dropped;
    if dropped.count == 0 {
        return format!("this node could not send the SYN {}", case.send_errors());
    }
    let dropped_words = plural(case.dropped(), "SYN");
    let hairpin = if came_back(case) {
        format!(
            "; they had left by {} as {} and came back from outside with this node's own address as their source: \
             {} leads back to this node (a load balancer with a target on this node: turn off its preservation of \
             client addresses, or connect to the target directly)",
            case.interface(),
            case.translated_source(),
            case.destination()
        )
    } else if case.attempt.is_hairpin {
        "; after DNAT the destination is the client itself (hairpin), which needs a masquerade rule and hairpin \
         mode on the client's bridge port"
            .to_owned()
    } else {
        String::new()
    };
    format!("this node dropped {dropped_words} of {} sent: {}{hairpin}", case.sent_since(), case.reason_words(dropped))
}

/// Whether the SYNs were dropped where they arrived again.
fn came_back(case: &Case<'_>) -> bool {
    let attempt = case.attempt;
    let is_own = || case.reason(attempt.syn_dropped) == Some("IP_LOCAL_SOURCE");
    attempt.dropped_after_leaving > 0 && (attempt.is_hairpin || is_own())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::causes::testing::{self, applies_to, capture, explained, failing, says};
    use crate::model::{Attempt, Capture};

    fn dropped(count: u8, retransmits: u32) -> Attempt {
        Attempt { syn_dropped: testing::dropped(count, 6, 2), retransmits, syns_leaving: 0, ..failing() }
    }

    #[test]
    fn a_syn_that_this_node_drops_is_dropped_here() {
        assert!(applies_to(&CAUSE, &dropped(1, 1)));
        assert!(!applies_to(&CAUSE, &dropped(0, 1)) && !applies_to(&CAUSE, &failing()));
        let all = "this node dropped 2 SYNs of 2 sent: NETFILTER_DROP";
        assert_eq!(explained(&CAUSE, &dropped(2, 1)), all);
        let hairpin = Attempt { is_hairpin: true, ..dropped(2, 1) };
        says(&CAUSE, &hairpin, "hairpin mode on the client's bridge port");
    }

    #[test]
    fn what_is_dropped_besides_syns_that_left_was_a_copy() {
        let attempt = |syns_leaving| Attempt { syns_leaving, ..dropped(4, 3) };
        assert!(!applies_to(&CAUSE, &attempt(4)) && !applies_to(&CAUSE, &attempt(3)));
        says(&CAUSE, &attempt(2), "this node dropped 2 SYNs of 4 sent");
        assert!(applies_to(&CAUSE, &attempt(2)));
        let by_queue = Attempt { dropped_after_leaving: 3, ..attempt(4) };
        assert!(applies_to(&CAUSE, &by_queue), "the interface sees SYNs before its queue drops them");
    }

    #[test]
    fn a_syn_that_left_and_comes_back_from_outside_needs_no_masquerade() {
        let left = Attempt { syns_leaving: 2, dropped_after_leaving: 2, ..dropped(2, 1) };
        let capture = Capture { drop_reasons: vec![(90, "IP_LOCAL_SOURCE".to_owned())], ..capture() };
        let own = Attempt { syn_dropped: testing::dropped(2, 90, 2), ..left.clone() };
        let hairpin = Attempt { is_hairpin: true, ..left.clone() };
        for (attempt, has_come_back) in [(own, true), (hairpin, true), (left, false)] {
            let explained = explain(&Case::new(&attempt, &capture));
            assert_eq!(explained.contains("came back from outside with this node's own address"), has_come_back);
        }
    }

    #[test]
    fn one_drop_of_many_explains_little() {
        assert!(!applies_to(&CAUSE, &Attempt { syns_leaving: 4, ..dropped(1, 4) }));
        // It is all there is where no SYN was seen leaving, if an uplink is watched.
        assert!(applies_to(&CAUSE, &dropped(1, 4)));
        let blind = Capture { hooks: Vec::new(), ..capture() };
        assert!(!applies(&Case::new(&dropped(1, 4), &blind)));
    }

    #[test]
    fn a_send_that_failed_is_dropped_here_unless_it_only_waits() {
        let failed = |count| Attempt { send_errors: 2, send_errno: -1, ..dropped(count, 1) };
        assert!(applies_to(&CAUSE, &failed(0)));
        let text = "this node could not send the SYN 2 times, most recently: Operation not permitted (os error 1)";
        assert_eq!(explained(&CAUSE, &failed(0)), text);
        assert!(!applies_to(&CAUSE, &Attempt { send_errno: EBUSY, ..failed(0) }));
        says(&CAUSE, &failed(4), "this node dropped 4 SYNs of 4 sent: NETFILTER_DROP");
    }
}
