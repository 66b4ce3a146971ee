//! Alerts, dashboard and runbook name only what exists, and promtool accepts the alerts and their tests.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join(name)
}

fn read(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap()
}

/// The names of metrics in a text.
fn metrics(text: &str) -> BTreeSet<&str> {
    let words = text.split(|char: char| !(char.is_ascii_alphanumeric() || char == '_'));
    words.filter(|word| word.starts_with("snatrace_")).collect()
}

#[test]
fn alerts_and_dashboard_name_metrics_that_exist() {
    let docs = read("docs/metrics.md");
    let known = metrics(&docs);
    for file in
        ["deploy/monitoring/alerts.yaml", "deploy/monitoring/alerts_test.yaml", "deploy/monitoring/dashboard.json"]
    {
        let text = read(file);
        let unknown: Vec<_> = metrics(&text).into_iter().filter(|name| !known.contains(name)).collect();
        assert!(unknown.is_empty(), "{file}: {unknown:?}");
    }
}

#[test]
fn every_cause_and_every_alert_has_a_section_in_the_runbook() {
    let runbook = read("docs/runbook.md");
    let sections: BTreeSet<_> =
        runbook.lines().filter_map(|line| line.strip_prefix("## `")?.strip_suffix('`')).collect();
    for cause in snatrace::causes::ALL {
        assert!(sections.contains(cause.id), "{}", cause.id);
    }
    for line in read("deploy/monitoring/alerts.yaml").lines() {
        let Some((_, anchor)) = line.split_once("docs/runbook.md#") else { continue };
        assert!(sections.contains(anchor) || anchor == "{{ $labels.cause }}", "{line}");
    }
}

#[test]
fn panels_of_the_dashboard_do_not_overlap_and_each_asks_something() {
    let dashboard: Value = serde_json::from_str(&read("deploy/monitoring/dashboard.json")).unwrap();
    let mut taken = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        let at = |name: &str| panel["gridPos"][name].as_u64().unwrap();
        for (x, y) in (0..at("w")).flat_map(|x| (0..at("h")).map(move |y| (x, y))) {
            assert!(at("x") + x < 24 && taken.insert((at("x") + x, at("y") + y)), "{}", panel["title"]);
        }
        for target in panel["targets"].as_array().unwrap() {
            let text = target["expr"].as_str().unwrap();
            assert!(metrics(text).iter().all(|name| text.contains(&format!("{name}{{instance=~"))), "{text}");
        }
        assert!(!panel["targets"].as_array().unwrap().is_empty());
    }
}

#[test]
fn promtool_accepts_alerts_their_tests_and_the_dashboard() {
    if Command::new("promtool").arg("--version").output().is_err() {
        println!("SKIPPED: no promtool here: apt-get install prometheus");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let dashboard: Value = serde_json::from_str(&read("deploy/monitoring/dashboard.json")).unwrap();
    let targets = dashboard["panels"].as_array().unwrap().iter().flat_map(|panel| panel["targets"].as_array().unwrap());
    let rules = targets.enumerate().map(|(number, target)| {
        let query = target["expr"].as_str().unwrap().replace("$__rate_interval", "5m").replace("$__range", "1h");
        serde_json::json!({"record": format!("panel:{number}"), "expr": query})
    });
    let rules = serde_json::json!({"groups": [{"name": "dashboard", "rules": rules.collect::<Vec<_>>()}]});
    let queries = directory.path().join("queries.yaml");
    fs::write(&queries, rules.to_string()).unwrap();
    for (words, file) in [
        (["check", "rules"], path("deploy/monitoring/alerts.yaml")),
        (["test", "rules"], path("deploy/monitoring/alerts_test.yaml")),
        (["check", "rules"], queries),
    ] {
        let outcome = Command::new("promtool").args(words).arg(&file).output().unwrap();
        assert!(outcome.status.success(), "{words:?}: {outcome:?}");
    }
}
