//! `conntrack_full`: the SYN was dropped because the conntrack table has no room for its entry.

use tracer_common::events::NO_ENTRY;

use super::{Case, Cause};

pub(super) const CAUSE: Cause = Cause {
    id: "conntrack_full",
    applies,
    explain,
    advice: "raise net.netfilter.nf_conntrack_max, or find who fills the table (conntrack -L) and shorten its timeouts",
};

fn applies(case: &Case<'_>) -> bool {
    let dropped = case.attempt.syn_dropped;
    // Conntrack's own verdict is a drop like that of a rule.
    let is_verdict = case.reason(dropped).is_none_or(|reason| reason == "NETFILTER_DROP");
    // How full the table is gets read once a second.
    let is_full = case.attempt.table.is_some();
    dropped.ctinfo == NO_ENTRY && is_verdict && is_full && case.is_mostly_dropped()
}

fn explain(case: &Case<'_>) -> String {
    let (count, max) = case.attempt.table.map_or((0, 0), |table| (table.count, table.max));
    format!("the conntrack table is full ({count} of {max} entries), so the SYN was dropped before NAT")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::causes::testing::{applies_to, dropped, failing};
    use crate::model::{Attempt, TableFill};

    #[test]
    fn a_syn_without_entry_dropped_while_the_table_is_full_is_its_victim() {
        let full = Some(TableFill { count: 65536, max: 65536 });
        for (ctinfo, table, applies) in [(NO_ENTRY, full, true), (2, full, false), (NO_ENTRY, None, false)] {
            let attempt = Attempt { syn_dropped: dropped(2, 6, ctinfo), table, syns_leaving: 0, ..failing() };
            assert_eq!(applies_to(&CAUSE, &attempt), applies, "{ctinfo}, {table:?}");
        }
    }
}
