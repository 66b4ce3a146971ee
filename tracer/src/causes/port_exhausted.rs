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

    fn clashed(unconfirmed: u8, syns_leaving: u32) -> Attempt {
        Attempt { unconfirmed, syns_leaving, ..failing() }
    }

    #[test]
    fn clash_after_clash_is_exhaustion() {
        assert!(applies_to(&CAUSE, &clashed(2, 0)));
        assert!(!applies_to(&CAUSE, &clashed(1, 0)));
        assert!(!applies_to(&CAUSE, &clashed(2, 1)));
        assert!(!applies_to(&CAUSE, &clashed(0, 0)));
    }

    #[test]
    fn a_drop_after_nat_without_an_attempt_to_confirm_is_no_clash() {
        let mut capture = capture();
        capture.hooks = vec![HookState { stem: "nat_bind".to_owned(), off: None }];
        let attempt = Attempt { selections: 0, ..clashed(2, 0) };
        assert!(!applies(&Case::new(&attempt, &capture)));
        let attempt = Attempt { selections: 2, ..clashed(2, 0) };
        assert!(applies(&Case::new(&attempt, &capture)));
    }
}
