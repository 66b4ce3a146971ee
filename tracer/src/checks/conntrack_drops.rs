//! What conntrack has dropped since boot: races for a port, exhausted ports, a full table.

use std::collections::BTreeMap;

use super::{Check, CheckReport, Facts, Level};

pub(super) const CHECK: Check = Check { id: "conntrack_drops", run };

/// Counters, and what raises them.
const MEANINGS: [(&str, &str); 3] = [
    ("insert_failed", "an entry could not be made: two connections raced for one port, or a rule has no port left"),
    ("drop", "a packet was dropped: the table was full, or an entry could not be made"),
    ("early_drop", "an entry was evicted to make room: the table was full"),
];

fn run(facts: &Facts) -> Vec<CheckReport> {
    let counters = facts.file("stat/nf_conntrack").map(from_proc);
    let Some(counters) =
        counters.or_else(|| facts.conntrack_stats.as_deref().map(from_tool)).filter(|all| !all.is_empty())
    else {
        return vec![CHECK.report(Level::Note, "conntrack's counters cannot be seen here")];
    };
    let known = MEANINGS.map(|(name, meaning)| (name, meaning, counters.get(name).copied().unwrap_or_default()));
    let level = if known.iter().any(|(_, _, count)| *count > 0) { Level::Note } else { Level::Ok };
    let counts: Vec<_> = known.iter().map(|(name, _, count)| format!("{name} {count}")).collect();
    let mut report = CHECK.report(level, format!("since boot: {}", counts.join(", ")));
    for (name, meaning, _) in known.iter().filter(|(_, _, count)| *count > 0) {
        report = report.detail(format!("{name}: {meaning}"));
    }
    if level > Level::Ok {
        report = report.detail("the counters never go back; what matters is whether they grow while connections fail");
    }
    vec![report]
}

/// A line of names, then a line of hexadecimal numbers for each CPU.
fn from_proc(text: &str) -> BTreeMap<String, u64> {
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().unwrap_or_default().split_whitespace().collect();
    let words = lines.flat_map(|line| names.iter().zip(line.split_whitespace()));
    sums(words.map(|(name, number)| (*name, u64::from_str_radix(number, 16).ok())))
}

/// `cpu=0  found=0 insert_failed=3 ...`
fn from_tool(text: &str) -> BTreeMap<String, u64> {
    let words = text.split_whitespace().filter_map(|word| word.split_once('='));
    sums(words.map(|(name, number)| (name, number.parse().ok())))
}

/// Strange numbers count as 0.
fn sums<'a>(counters: impl Iterator<Item = (&'a str, Option<u64>)>) -> BTreeMap<String, u64> {
    let mut sums: BTreeMap<String, u64> = BTreeMap::new();
    for (name, number) in counters {
        let sum = sums.entry(name.to_owned()).or_default();
        *sum = sum.saturating_add(number.unwrap_or_default());
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_of_all_cpus_are_added_up() {
        let proc = "entries  insert_failed drop early_drop\n00000005 0000000a 00000001 00000000\n00000005 00000001 00000000 00000000\n";
        assert_eq!((from_proc(proc)["insert_failed"], from_proc(proc)["drop"]), (11, 1));
        let tool = "cpu=0   \tfound=0 insert_failed=3 drop=2 early_drop=0 \ncpu=1 \tfound=1 insert_failed=4 \n";
        assert_eq!((from_tool(tool)["insert_failed"], from_tool(tool)["drop"]), (7, 2));
    }

    #[test]
    fn what_was_dropped_is_explained() {
        let files = [("/proc/thread-self/net/stat/nf_conntrack", "insert_failed\n01\n".to_owned())].into();
        let report = &run(&Facts { files, ..Facts::default() })[0];
        assert!(report.level == Level::Note && report.details[0].starts_with("insert_failed: "), "{report:?}");
    }

    #[test]
    fn strange_counters_are_not_believed() {
        assert!(from_proc("").is_empty() && from_tool("no counters here").is_empty());
        assert_eq!(from_proc("drop\nzzz\n")["drop"], 0);
    }
}
