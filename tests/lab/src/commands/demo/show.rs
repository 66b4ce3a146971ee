//! What the demo prints: the network, each flagged attempt as it comes, the table at the end.

use std::io::{self, Write};

use anyhow::Result;
use serde_json::{Value, json};

use crate::lab::Lab;
use crate::net::Family;
use crate::plan::Plan;
use crate::scenario::Expect;
use crate::scenario::Scenario;
use crate::score::Score;

/// The scenario and its network, before anything happens.
pub(super) fn header(scenario: &Scenario, plan: &Plan, lab: &Lab) -> Result<()> {
    let (low, high) = scenario.filter.passes;
    let ipv6 = if scenario.filter.ipv6 { "" } else { " (IPv6 is not filtered)" };
    let text = format!(
        "{}: {}\n  pod {} -- node {} ({}) -- filter passes {low}-{high}{ipv6} -- server {}\n  {} connections, allowed ports {}\n",
        scenario.name,
        scenario.about,
        lab.net.pod(scenario.family, 0),
        lab.net.node(scenario.family),
        plan.rules.name(),
        lab.net.server(scenario.family, 0),
        plan.connections,
        scenario.allow,
    );
    line(&text)
}

/// One flagged attempt.
pub(super) fn flagged(finding: &Value) -> Result<()> {
    // RFC 3339; the time of day is enough for people.
    let time = finding["time"].as_str().and_then(|time| time.get(11..23)).unwrap_or("");
    line(&format!(
        "{time}  {}{} -> {}  leaves as {}  {}{}",
        finding["pod"].as_str().map(|pod| format!("{pod} ")).unwrap_or_default(),
        endpoint(finding, "src", "src_port"),
        endpoint(finding, "dst", "dst_port"),
        endpoint(finding, "nat_src", "nat_port"),
        if finding["flagged"] == true { "FLAGGED " } else { "" },
        finding["cause"].as_str().unwrap_or(""),
    ))
}

fn endpoint(finding: &Value, address: &str, port: &str) -> String {
    let port = finding[port].as_u64().map_or_else(|| "?".to_owned(), |port| port.to_string());
    match finding[address].as_str() {
        Some(address) if address.contains(':') => format!("[{address}]:{port}"),
        Some(address) => format!("{address}:{port}"),
        None => format!("?:{port}"),
    }
}

/// The table at the end.
pub(super) fn table(scenario: &Scenario, score: &Score, drops: u64) -> Result<()> {
    let mut text = format!(
        "\n  attempts     {:>8}\n  failed       {:>8}\n  expected     {:>8}\n  flagged      {:>8}\n  source unknown {:>6}\n  false flags  {:>8}\n  missed       {:>8}\n  \
         lost         {:>8}\n  filter drops {drops:>8}\n",
        score.attempts,
        score.failed,
        score.expected,
        score.flagged,
        score.unidentified,
        score.false_flags,
        score.missed,
        score.lost
    );
    if let Some(share) = score.share() {
        let (low, high) = score.expected_counts;
        text += &format!(
            "  share outside  {:.2} % of {} draws; expected: {:.2} %, 99 % of runs between {:.2} % and {:.2} %\n",
            share * 100.0,
            score.draws,
            score.expected_share * 100.0,
            percent(low, score.draws),
            percent(high, score.draws),
        );
    }
    let verdict = match scenario.expect {
        Expect::Causes(_) if !score.is_right() => {
            "FAIL: not exactly the connections that failed or retransmitted have their cause"
        }
        Expect::Causes(_) => "PASS: exactly the connections that failed or retransmitted have their cause",
        Expect::FailedAreFlagged | Expect::NothingFlagged if !score.is_right() => {
            "FAIL: not exactly the failures were flagged"
        }
        Expect::FailedAreFlagged | Expect::NothingFlagged if score.flagged == 0 => {
            "PASS: nothing was flagged, as expected"
        }
        Expect::FailedAreFlagged | Expect::NothingFlagged => "PASS: exactly the failures were flagged",
    };
    line(&format!("{text}\n  {}: {verdict}", scenario.name))
}

/// The score as one JSON object.
pub(super) fn json(scenario: &Scenario, plan: &Plan, score: &Score, drops: u64) -> Result<()> {
    let mut object = serde_json::to_value(score)?;
    object["kind"] = json!("demo");
    object["scenario"] = json!(scenario.name);
    object["ipv6"] = json!(scenario.family == Family::V6);
    object["rules"] = json!(plan.rules.name());
    object["filter_drops"] = json!(drops);
    object["share"] = json!(score.share());
    object["right"] = json!(score.is_right());
    line(&object.to_string())
}

/// Writes a line without delay, so that people see it as it happens.
pub(super) fn line(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")?;
    Ok(out.flush()?)
}

fn percent(count: u32, of: u32) -> f64 {
    f64::from(count) / f64::from(of) * 100.0
}
