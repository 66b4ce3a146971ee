//! What the node's own conntrack table shows right now: which translated ports get an answer, and which do not.

use super::{Check, CheckReport, Facts, Fix, Level};
use crate::conntrack::{EntryCounts, TableSource};
use crate::infer::{Conclusion, Verdict};

pub(super) const CHECK: Check = Check { id: "seen_now", run };

/// What was read of the table.
#[derive(Clone, Debug, PartialEq)]
pub struct SeenTable {
    /// Where it was read.
    pub source: TableSource,
    /// How many entries there were of each kind.
    pub counts: EntryCounts,
    /// What follows, for each address family.
    pub conclusions: Vec<Conclusion>,
}

fn run(facts: &Facts) -> Vec<CheckReport> {
    let seen = match &facts.seen {
        Ok(Some(seen)) => seen,
        Ok(None) => {
            return vec![CHECK.report(
                Level::Note,
                "this namespace has no conntrack table that can be read without loading a module",
            )];
        }
        Err(why) => {
            return vec![CHECK.report(Level::Note, format!("the conntrack table cannot be read: {why}"))];
        }
    };
    let counts = seen.counts.to_string();
    if seen.conclusions.is_empty() {
        let summary = "no translated connection in the conntrack table has been answered or has waited long enough";
        return vec![CHECK.report(Level::Note, summary).detail(counts)];
    }
    seen.conclusions.iter().map(|conclusion| report(facts, conclusion, &counts)).collect()
}

fn report(facts: &Facts, conclusion: &Conclusion, counts: &str) -> CheckReport {
    let level = match &conclusion.verdict {
        Verdict::Class(_) if conclusion.class().is_some() => Level::Problem,
        Verdict::Class(_) | Verdict::OneDestination(_) => Level::Warn,
        Verdict::NoClass { .. } => Level::Ok,
        Verdict::TooFew { .. } => Level::Note,
    };
    let mut report = CHECK.report(level, format!("right now, {conclusion}")).detail(counts);
    report.details.extend(conclusion.supporting().iter().map(ToString::to_string));
    if conclusion.class().is_some() {
        let candidate = |drop: String| format!("this node may drop the rest before conntrack, by {drop}");
        report.details.extend(facts.untracked_drops().into_iter().map(candidate));
    }
    let likely = conclusion.class().and_then(|class| class.likely.as_ref());
    let allowed = if conclusion.is_ipv4 { &facts.policy.v4 } else { &facts.policy.v6 };
    if let Some(likely) = likely.filter(|likely| *likely != allowed) {
        let option = if conclusion.is_ipv4 { "--allow" } else { "--allow6" };
        report.fixes.push(Fix {
            what: format!(
                "if a filter accepts {likely}, run doctor again with {option} {likely}: some checks judge by {allowed}"
            ),
            consequence: "the other checks then judge the rules by that range".to_owned(),
            ..Fix::default()
        });
    }
    report
}

impl Facts {
    /// What of this node may drop packets without conntrack seeing it, the likeliest first.
    pub(super) fn untracked_drops(&self) -> Vec<String> {
        let xdp = self.links.iter().filter_map(|(name, link)| Some((name, link.xdp?)));
        let xdp = xdp.map(|(name, id)| format!("the XDP program {id} on {name}"));
        self.rules.untracked_drops.iter().cloned().chain(xdp).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_without_a_table_has_nothing_to_show() {
        let level = |seen| run(&Facts { seen, ..Facts::default() })[0].level;
        assert_eq!(level(Ok(None)), Level::Note);
        assert_eq!(level(Err("no".to_owned())), Level::Note);
        let empty = SeenTable { source: TableSource::Netlink, counts: EntryCounts::default(), conclusions: Vec::new() };
        assert_eq!(level(Ok(Some(empty))), Level::Note);
    }
}
