//! `refused`: an RST came back.

use super::{Case, Cause, Verdict};
use crate::model::Outcome;

pub(super) const CAUSE: Cause = Cause {
    id: "refused",
    judge,
    explain,
    advice: "nothing listens there, or a firewall resets: check address and port of the destination, and that the server runs",
};

fn judge(case: &Case<'_>) -> Verdict {
    let attempt = case.attempt;
    if attempt.rst_seen || attempt.outcome == Outcome::Refused && attempt.icmp.is_none() && !is_rejected_here(case) {
        Verdict::Yes
    } else if case.is_pending() {
        Verdict::NotYet
    } else {
        Verdict::No
    }
}

/// A rule on this node that rejects drops the SYN and has the client refused too. So does a pod or socket of this node where
/// nobody listens, and there the kernel names no rule (before 5.17 it names nothing).
fn is_rejected_here(case: &Case<'_>) -> bool {
    let dropped = case.attempt.syn_dropped;
    dropped.count > 0 && case.reason(dropped).is_some_and(|reason| reason != "NO_SOCKET")
}

fn explain(case: &Case<'_>) -> String {
    let seen = if case.attempt.rst_seen { "its RST came back" } else { "the socket was told ECONNREFUSED" };
    format!("{} refused the connection: {seen}", case.destination())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::causes::testing::{capture, failing, verdict};
    use crate::model::{Attempt, Dropped};

    #[test]
    fn an_rst_that_arrives_refuses() {
        assert_eq!(verdict(&CAUSE, &Attempt { rst_seen: true, ..failing() }), Verdict::Yes);
        assert_eq!(verdict(&CAUSE, &failing()), Verdict::NotYet);
        assert_eq!(verdict(&CAUSE, &Attempt { outcome: Outcome::TimedOut, ..failing() }), Verdict::No);
    }

    #[test]
    fn a_rule_of_this_node_that_rejects_is_not_the_destination() {
        let refused = Attempt { outcome: Outcome::Refused, ..failing() };
        assert_eq!(verdict(&CAUSE, &refused), Verdict::Yes);
        let syn_dropped = Dropped { count: 1, reason: 6, ctinfo: 2 };
        assert_eq!(verdict(&CAUSE, &Attempt { syn_dropped, ..refused.clone() }), Verdict::No);
        let unsaid = Dropped { reason: 0, ..syn_dropped };
        assert_eq!(verdict(&CAUSE, &Attempt { syn_dropped: unsaid, ..refused }), Verdict::Yes);
    }

    #[test]
    fn a_port_of_this_node_where_nobody_listens_refuses() {
        let mut capture = capture();
        capture.drop_reasons.push((3, "NO_SOCKET".to_owned()));
        let syn_dropped = Dropped { count: 1, reason: 3, ctinfo: 2 };
        let refused = Attempt { outcome: Outcome::Refused, retransmits: 0, syns_leaving: 0, syn_dropped, ..failing() };
        let case = Case::new(&refused, &capture);
        assert_eq!(crate::causes::judge(&case).id, CAUSE.id);
    }
}
