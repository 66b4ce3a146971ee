//! `conntrack_full`: the SYN was dropped because the conntrack table has no room for its entry.

use tracer_common::events::NO_ENTRY;

use super::{Case, Cause, Verdict};

pub(super) const CAUSE: Cause = Cause {
    id: "conntrack_full",
    judge,
    explain,
    advice: "raise net.netfilter.nf_conntrack_max, or find who fills the table (conntrack -L) and shorten its timeouts",
};

fn judge(case: &Case<'_>) -> Verdict {
    let dropped = case.attempt.syn_dropped;
    // Conntrack's own verdict is a drop like that of a rule.
    let is_verdict = case.reason(dropped).is_none_or(|reason| reason == "NETFILTER_DROP");
    if dropped.ctinfo != NO_ENTRY || !is_verdict || !case.is_mostly_dropped() {
        return Verdict::No;
    }
    // How full the table is gets read once a second.
    match case.attempt.table {
        Some(_) => Verdict::Yes,
        None if case.is_pending() => Verdict::NotYet,
        None => Verdict::No,
    }
}

fn explain(case: &Case<'_>) -> String {
    let (count, max) = case.attempt.table.map_or((0, 0), |table| (table.count, table.max));
    format!("the conntrack table is full ({count} of {max} entries), so the SYN was dropped before NAT")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::causes::testing::{failing, verdict};
    use crate::model::{Attempt, Dropped, Outcome, TableFill};

    fn dropped(ctinfo: u8, table: Option<TableFill>) -> Attempt {
        Attempt { syn_dropped: Dropped { count: 2, reason: 6, ctinfo }, table, ..failing() }
    }

    const FULL: Option<TableFill> = Some(TableFill { count: 65536, max: 65536 });

    #[test]
    fn a_syn_without_entry_dropped_while_the_table_is_full_is_its_victim() {
        assert_eq!(verdict(&CAUSE, &dropped(NO_ENTRY, FULL)), Verdict::Yes);
        assert_eq!(verdict(&CAUSE, &dropped(2, FULL)), Verdict::No);
        assert_eq!(verdict(&CAUSE, &dropped(NO_ENTRY, None)), Verdict::NotYet);
        let ended = Attempt { outcome: Outcome::TimedOut, ..dropped(NO_ENTRY, None) };
        assert_eq!(verdict(&CAUSE, &ended), Verdict::No);
    }
}
