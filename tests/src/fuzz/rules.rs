//! The readers of rules, and what doctor makes of them: nft and iptables are read as any of their versions may print.

use snatrace::checks::{self, Facts};
use snatrace::outputs::escape::Escaped;
use snatrace::ruleset::{self, Kernel, NatPorts, Sources, Tools};

use super::unprintable;

/// A rule set as JSON; where it begins otherwise it is the listing in nft's own words, beside a rule set that is right.
pub fn check_nft(bytes: &[u8]) {
    const JSON: &str = include_str!("../../../tracer/src/ruleset/tests/fixtures/docker.json");
    let text = String::from_utf8_lossy(bytes);
    let is_json = text.trim_start().starts_with(['{', '[']);
    let (json, listing) = if is_json { (&*text, "") } else { (JSON, &*text) };
    check(&Said(&[("nft -j list ruleset", json), ("nft -a list ruleset", listing)]));
}

/// What iptables-nft-save prints.
pub fn check_iptables(bytes: &[u8]) {
    let save = String::from_utf8_lossy(bytes);
    check(&Said(&[("iptables-nft-save -V", "v1.8.9 (nf_tables)"), ("iptables-nft-save", &save)]));
}

/// Tools that print what the test gives them.
struct Said<'a>(&'a [(&'a str, &'a str)]);

impl Tools for Said<'_> {
    fn run(&self, name: &str, args: &[&str]) -> anyhow::Result<Option<String>> {
        let call = [&[name], args].concat().join(" ");
        Ok(self.0.iter().find(|(known, _)| *known == call).map(|(_, output)| (*output).to_owned()))
    }
}

fn check(tools: &dyn Tools) {
    let kernel = Kernel { nf_tables: true, legacy: [Ok(String::new()), Ok(String::new())] };
    let rules: Sources = ruleset::read_from(tools, &kernel);
    for rule in &rules.rules {
        if let NatPorts::Ranges(ranges) = &rule.nat.ports {
            assert!(ranges.iter().all(|(low, high)| low <= high), "{ranges:?}");
        }
    }
    let reports = checks::run(&Facts { rules, ..Facts::default() });
    for report in &reports {
        let texts =
            report.details.iter().chain([&report.summary]).chain(report.fixes.iter().flat_map(|fix| &fix.commands));
        for text in texts {
            let shown = Escaped(text).to_string();
            assert_eq!(unprintable(&shown), None, "{shown:?}");
        }
    }
}
