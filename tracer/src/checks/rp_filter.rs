//! Strict reverse path filtering where there is more than one uplink: answers that come by another than the SYN left by are dropped.

use super::{Check, CheckReport, Facts, Level};

pub(super) const CHECK: Check = Check { id: "rp_filter", run };

/// The kernel takes the stricter of `all` and the interface's own, 2 (loose) before 1 (strict).
const STRICT: u8 = 1;

fn run(facts: &Facts) -> Vec<CheckReport> {
    let uplinks: Vec<&str> = facts.uplinks().collect();
    let strict: Vec<&str> = uplinks.iter().copied().filter(|name| facts.rp_filter(name) == Some(STRICT)).collect();
    let (level, summary) = match (&uplinks[..], &strict[..]) {
        ([], _) => (Level::Note, "no interface here leads to the outside".to_owned()),
        ([_], _) => (Level::Ok, format!("one uplink ({}), so answers come back by it", uplinks.join(", "))),
        (_, []) => (Level::Ok, format!("uplinks {}: none filters strictly by reverse path", uplinks.join(", "))),
        (_, [_, ..]) => (
            Level::Warn,
            format!(
                "uplinks {}: {} drops answers to connections that left by another (rp_filter 1, strict)",
                uplinks.join(", "),
                strict.join(", ")
            ),
        ),
    };
    let mut report = CHECK.report(level, summary);
    if level == Level::Warn {
        report.fixes.push(super::Fix {
            what: "filter loosely: an answer is accepted by any interface that has a route back".to_owned(),
            commands: strict
                .iter()
                .map(|name| format!("{}sysctl -w net.ipv4.conf.{}.rp_filter=2", facts.prefix(), name.replace('.', "/")))
                .collect(),
            consequence:
                "packets with a forged source of another uplink are no longer dropped here; lost after a reboot"
                    .to_owned(),
            ..super::Fix::default()
        });
    }
    vec![report]
}
