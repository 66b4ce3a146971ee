//! `port_exhausted`: every source that NAT may choose towards this destination is taken.

use super::{Case, Cause, Verdict};

pub(super) const CAUSE: Cause = Cause {
    id: "port_exhausted",
    judge,
    explain,
    advice: "too many connections to one destination share one address: let the rule choose from more ports or more addresses, \
             keep connections open instead of making new ones, or shorten nf_conntrack_tcp_timeout_time_wait",
};

fn judge(case: &Case<'_>) -> Verdict {
    match (case.clashes(), case.attempt.syns_leaving) {
        (0, _) => Verdict::No,
        (_, 0) if case.is_established() => Verdict::No,
        // The first retransmit tells it from a race.
        (1, 0) => Verdict::NotYet,
        (_, 0) => Verdict::Yes,
        (_, _) => Verdict::No,
    }
}

fn explain(case: &Case<'_>) -> String {
    format!(
        "NAT found no free source towards {}: all {} SYNs were dropped when it was to be confirmed",
        case.destination(),
        case.clashes()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::causes::testing::{capture, failing, verdict};
    use crate::model::{Attempt, HookState};

    fn clashed(unconfirmed: u8, syns_leaving: u32) -> Attempt {
        Attempt { unconfirmed, syns_leaving, ..failing() }
    }

    #[test]
    fn clash_after_clash_is_exhaustion() {
        assert_eq!(verdict(&CAUSE, &clashed(2, 0)), Verdict::Yes);
        assert_eq!(verdict(&CAUSE, &clashed(1, 0)), Verdict::NotYet);
        assert_eq!(verdict(&CAUSE, &clashed(2, 1)), Verdict::No);
        assert_eq!(verdict(&CAUSE, &clashed(0, 0)), Verdict::No);
    }

    #[test]
    fn a_drop_after_nat_without_an_attempt_to_confirm_is_no_clash() {
        let mut capture = capture();
        capture.hooks = vec![HookState { stem: "nat_bind".to_owned(), off: None }];
        let attempt = Attempt { selections: 0, ..clashed(2, 0) };
        assert_eq!(judge(&Case::new(&attempt, &capture)), Verdict::No);
        let attempt = Attempt { selections: 2, ..clashed(2, 0) };
        assert_eq!(judge(&Case::new(&attempt, &capture)), Verdict::Yes);
    }
}
