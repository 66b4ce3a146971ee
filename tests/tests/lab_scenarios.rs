//! Every scenario of the lab, each a test of its own name: what failed is flagged, nothing else is, and nothing is lost.
//!
//! `cargo xtask test --only lab`, or with both binaries built, as root:
//!
//!     SNATRACE_BIN=$PWD/target/debug/snatrace cargo test -p tests --test lab_scenarios fully_random -- --include-ignored
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeMap;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value;
use snatrace_lab::scenario::Expect;
use snatrace_lab::scenarios;
use tests::process::Outcome;
use tests::snatrace_lab;

/// How many labs are up at once by default: they wait for timers most of the time.
const LABS_AT_ONCE: usize = 5;
const CONNECTIONS: &str = "300";
/// The default rules, flannel-nft, are played by every scenario.
const OTHER_RULES: &[&str] = &["flannel-iptables", "kube-proxy-nft", "kube-proxy-iptables"];

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(LABS_AT_ONCE);
    libtest_mimic::run(&arguments, trials()).exit_code()
}

fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    let mut add = |name: String, options: Vec<&'static str>| {
        trials.push(Trial::test(name, move || play_and_check(&options)).with_ignored_flag(true));
    };
    for scenario in scenarios::ALL {
        let name = scenario.name;
        add(name.to_owned(), vec![name, "-n", CONNECTIONS]);
        if matches!(scenario.expect, Expect::Causes(_)) {
            add(format!("{name}::over_ipv6"), vec![name, "-n", CONNECTIONS, "--ipv6"]);
        }
    }
    for rules in OTHER_RULES {
        let name = format!("fully_random::{}", rules.replace('-', "_"));
        add(name, vec!["fully_random", "-n", CONNECTIONS, "--rules", rules]);
    }
    let share = "fully_random::half_of_ten_thousand_connections_fail";
    trials.push(Trial::test(share, half_of_ten_thousand_connections_fail).with_ignored_flag(true));
    trials
}

fn play_and_check(options: &[&str]) -> Result<(), Failed> {
    check(options, &play(options)?)
}

fn half_of_ten_thousand_connections_fail() -> Result<(), Failed> {
    let options = ["fully_random", "-n", "10000"];
    let score = play(&options)?;
    check(&options, &score)?;
    // Two points are four standard deviations.
    let is_half = score["share"].as_f64().is_some_and(|share| (share - 0.5).abs() < 0.02);
    if is_half && score["draws"] == 10_000 { Ok(()) } else { Err(score.to_string().into()) }
}

/// The last line of `demo`.
fn play(options: &[&str]) -> Result<Value, Failed> {
    let outcome = Outcome::of(snatrace_lab().args(["demo", "-o", "json"]).args(options));
    let last = outcome.stdout.lines().last().and_then(|line| serde_json::from_str::<Value>(line).ok());
    match last {
        Some(score) if score["kind"] == "demo" && outcome.code == Some(0) => Ok(score),
        _ => Err(format!("{:?}\n{}{last:?}\n{}", outcome.code, outcome.stderr, causes_of(&outcome.stdout)).into()),
    }
}

/// How many attempts ended with each cause, with one line of each.
fn causes_of(lines: &str) -> String {
    let lines = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut causes: BTreeMap<String, (u32, Value)> = BTreeMap::new();
    for line in lines.filter(|line| line["kind"] == "ended") {
        causes.entry(line["cause"].to_string()).or_insert((0, line)).0 += 1;
    }
    causes.into_values().map(|(count, line)| format!("{count} times: {line}\n")).collect()
}

/// Whether the score is what it must be.
fn check(options: &[&str], score: &Value) -> Result<(), Failed> {
    let counts = ["lost", "false_flags", "missed"].map(|name| score[name].as_u64());
    let right = score["right"] == true && counts == [Some(0); 3] && score["attempts"].as_u64() >= Some(300);
    let family = score["ipv6"] == (options.contains(&"--ipv6") || options[0].starts_with("ipv6"));
    // Where nothing fails, nothing could have been missed: each scenario must show what it is there to show.
    let (failed, flagged) = (score["failed"].as_u64() > Some(0), score["flagged"].as_u64() > Some(0));
    let expected = match options[0] {
        "preserved" | "ports_fixed" | "filter_fixed" | "ipv6_unfiltered" => (false, false),
        "host" => (true, false),
        // The retransmitted SYN gets through, in `insert_race` nearly always.
        "syn_option_dropped" => (false, true),
        "insert_race" => (failed, true),
        _ => (true, true),
    };
    // A kernel that skips a program of a tracepoint may leave a source unknown; a raw client has no socket at all.
    let count = |name: &str| score[name].as_u64().unwrap_or(u64::MAX);
    let identified = options[0] == "forwarded" || count("nameless").saturating_mul(4) <= count("flagged");
    if right && family && identified && (failed, flagged) == expected { Ok(()) } else { Err(score.to_string().into()) }
}
