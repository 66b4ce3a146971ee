//! `port_exhausted`: every source that NAT may choose towards this destination is taken.

use super::{Case, Cause};

pub(super) const CAUSE: Cause = Cause {
    id: "port_exhausted",
    applies,
    explain,
    advice: "too many connections to one destination share one address: let the rule choose from more ports or more \
             addresses, or reuse connections instead of opening new ones",
};

fn applies(case: &Case<'_>) -> bool {
    // One clash may be a race, which the first retransmit shows.
    case.clashes() > 1 && case.attempt.syns_leaving == 0 && !case.is_established()
}

fn explain(case: &Case<'_>) -> String {
    format!(
        "NAT found no free source for a connection to {}: all {} SYNs were dropped when the kernel confirmed the \
         source",
        case.destination(),
        case.clashes()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::causes::testing::{applies_to, capture, failing};
    use crate::model::{Attempt, HookState};

    #[test]
    fn clash_after_clash_is_exhaustion() {
        for (unconfirmed, syns_leaving, applies) in [(2, 0, true), (1, 0, false), (2, 1, false), (0, 0, false)] {
            let attempt = Attempt { unconfirmed, syns_leaving, ..failing() };
            assert_eq!(applies_to(&CAUSE, &attempt), applies, "{unconfirmed}, {syns_leaving}");
        }
    }

    #[test]
    fn a_drop_after_nat_without_an_attempt_to_confirm_is_no_clash() {
        let mut capture = capture();
        capture.hooks = vec![HookState { stem: "nat_bind".to_owned(), off: None }];
        for selections in [0, 2] {
            let attempt = Attempt { selections, unconfirmed: 2, syns_leaving: 0, ..failing() };
            assert_eq!(applies(&Case::new(&attempt, &capture)), selections == 2);
        }
    }
}
