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
    // A rule on this node that rejects drops the SYN and has the client refused too.
    let by_others = attempt.icmp.is_none() && attempt.syn_dropped.count == 0;
    if attempt.rst_seen || attempt.outcome == Outcome::Refused && by_others {
        Verdict::Yes
    } else if case.is_pending() {
        Verdict::NotYet
    } else {
        Verdict::No
    }
}

fn explain(case: &Case<'_>) -> String {
    let seen = if case.attempt.rst_seen { "its RST came back" } else { "the socket was told ECONNREFUSED" };
    format!("{} refused the connection: {seen}", case.destination())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::causes::testing::{failing, verdict};
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
        let syn_dropped = Dropped { count: 1, ..Dropped::default() };
        assert_eq!(verdict(&CAUSE, &Attempt { syn_dropped, ..refused }), Verdict::No);
    }
}
