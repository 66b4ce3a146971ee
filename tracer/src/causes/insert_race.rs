//! `insert_race`: NAT chose a source that another connection took before it was confirmed; a later choice worked.

use super::{Case, Cause};
use crate::model::plural;

pub(super) const CAUSE: Cause = Cause {
    id: "insert_race",
    applies,
    explain,
    advice: "two connections were given the same source at the same time (conntrack -S counts it as insert_failed); `--random-fully` \
             makes that rare; where a filter passes only LO-HI, use it together with --to-ports LO-HI",
};

fn applies(case: &Case<'_>) -> bool {
    // A SYN that left and was retransmitted nevertheless was not hindered by the clash.
    case.clashes() > 0 && (case.is_established() || case.attempt.syns_leaving == 1)
}

fn explain(case: &Case<'_>) -> String {
    let were = if case.clashes() == 1 { "was" } else { "were" };
    format!(
        "the source that NAT chose was already in use when the kernel confirmed it, so {} {were} dropped; after NAT \
         chose again, the SYN left as {}",
        plural(case.clashes(), "SYN"),
        case.translated_source(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::causes::testing::{applies_to, failing};
    use crate::model::{Attempt, Outcome};

    fn clashed(unconfirmed: u8, syns_leaving: u32) -> Attempt {
        Attempt { unconfirmed, syns_leaving, ..failing() }
    }

    #[test]
    fn a_clash_and_then_a_source_that_is_free_is_a_race() {
        assert!(applies_to(&CAUSE, &clashed(1, 1)));
        assert!(applies_to(&CAUSE, &Attempt { outcome: Outcome::Established, ..clashed(1, 0) }));
        assert!(!applies_to(&CAUSE, &clashed(0, 1)));
    }

    #[test]
    fn while_nothing_has_left_it_is_not_known() {
        assert!(!applies_to(&CAUSE, &clashed(1, 0)));
    }

    #[test]
    fn a_clash_does_not_explain_what_left_and_was_sent_again() {
        assert!(!applies_to(&CAUSE, &clashed(1, 2)));
    }
}
