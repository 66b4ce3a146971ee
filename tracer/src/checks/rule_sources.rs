//! Which tools could list rules: what could not be seen is said, not taken as absent.

use super::{Check, CheckReport, Facts, Level};
use crate::ruleset::{Read, ToolReading};

pub(super) const CHECK: Check = Check { id: "rule_sources", run };

fn run(facts: &Facts) -> Vec<CheckReport> {
    let rules = &facts.rules;
    let listed: Vec<&str> =
        rules.sources.iter().filter(|source| source.read == Read::Listed).map(|source| source.tool.as_str()).collect();
    let nft_is_missing = rules.sources.iter().any(|source| source.tool == "nft" && source.read == Read::Missing);
    let is_blind = rules.is_blind();
    let level = match () {
        () if is_blind => Level::Warn,
        () if nft_is_missing => Level::Note,
        () => Level::Ok,
    };
    let summary = match listed[..] {
        [] if is_blind => "no rules could be listed".to_owned(),
        [] => "no tool has rules to list".to_owned(),
        _ => format!("rules listed by {}", listed.join(", ")),
    };
    let mut report = CHECK.report(level, summary);
    report.details.extend(rules.sources.iter().filter_map(unseen));
    for (table, count) in &rules.unread {
        report = report.detail(format!(
            "not seen: {count} rules in table {table} that only iptables-save can read: install iptables"
        ));
    }
    vec![report]
}

fn unseen(source: &ToolReading) -> Option<String> {
    match &source.read {
        Read::Listed => None,
        Read::Empty(why) => Some(format!("{} not asked: {why}", source.tool)),
        Read::Missing => Some(format!("{} is not installed: its rules, if there are any, are not seen", source.tool)),
        Read::Failed(why) => Some(format!("not seen: {why}")),
    }
}
