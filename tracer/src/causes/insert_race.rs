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

    #[test]
    fn a_clash_and_then_a_source_that_is_free_is_a_race() {
        for (unconfirmed, syns_leaving, outcome, applies) in [
            (1, 1, Outcome::Pending, true),
            (1, 0, Outcome::Established, true),
            (0, 1, Outcome::Pending, false),
            // While nothing has left it is not known; what left and was sent again was not hindered.
            (1, 0, Outcome::Pending, false),
            (1, 2, Outcome::Pending, false),
        ] {
            let attempt = Attempt { unconfirmed, syns_leaving, outcome, ..failing() };
            assert_eq!(applies_to(&CAUSE, &attempt), applies, "{unconfirmed}, {syns_leaving}, {outcome:?}");
        }
    }
}
