//! Golden traces: complete, independent of this machine, and replayed as their events come. `golden_replays.rs` compares what they print.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;
use std::{fs, thread};

use serde_json::Value;
use tests::golden::{self, EXPECTED, cases, directory};
use tests::process::{Outcome, end_with_us, wait};

/// Bytes of the frame that ends a trace (docs/trace.md).
const FRAME_LEN: usize = 48;

fn replay(case: &str, options: &[&str]) -> Command {
    golden::replay(env!("CARGO_BIN_EXE_snatrace-under-test"), case, options)
}

#[test]
fn every_trace_has_its_expectations_and_every_expectation_its_trace() {
    let cases = cases();
    let expected = cases.iter().flat_map(|case| EXPECTED.iter().map(move |(end, _)| format!("{case}.{end}")));
    let expected: BTreeSet<String> = expected.chain(cases.iter().map(|case| format!("{case}.trace"))).collect();
    let entries = fs::read_dir(directory()).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_file());
    let found: BTreeSet<String> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
    assert_eq!(found, expected, "UPDATE_EXPECT=1 writes what is missing");
}

#[test]
fn neither_time_zone_nor_policy_nor_language_of_this_machine_matter() {
    for case in cases() {
        let mut elsewhere = replay(&case, &["-o", "text"]);
        elsewhere.envs([
            ("TZ", "Pacific/Chatham"),
            ("LC_ALL", "de_DE.UTF-8"),
            ("SNATRACE_ALLOW", "1-2"),
            ("COLUMNS", "40"),
        ]);
        assert_eq!(
            Outcome::of(&mut elsewhere).done(),
            Outcome::of(&mut replay(&case, &["-o", "text"])).done(),
            "{case}"
        );
    }
}

#[test]
fn golden_traces_were_recorded_whole_and_show_both_ways_of_learning_a_port() {
    let mut ways = BTreeSet::new();
    for case in cases() {
        let outcome = Outcome::of(&mut replay(&case, &["-o", "json"]));
        assert_eq!(outcome.stderr, "", "{case}");
        let lines: Vec<Value> = outcome.done().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let (capture, summary) = (&lines[0], &lines[lines.len() - 1]);
        assert!(summary["attempts"].as_u64() > Some(0) && summary["lost"] == 0, "{case}: {summary}");
        let bind = capture["hooks"].as_array().unwrap().iter().find(|hook| hook["hook"] == "nat_bind").unwrap();
        let way = if bind["off"].is_null() { "kprobes" } else { "wire" };
        assert!(case.ends_with(&format!("-{way}")), "{case} was recorded by {way}");
        ways.insert(way);
    }
    assert_eq!(ways.len(), 2, "{ways:?}");
}

/// `replay` of standard input, which has got all but the frame that ends a trace and stays open.
fn replay_of_a_recording_under_way(options: &[&str]) -> (Child, ChildStdin) {
    let mut command = tests::snatrace(env!("CARGO_BIN_EXE_snatrace-under-test"));
    command.arg("replay").args(options).arg("-").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = end_with_us(&mut command).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let trace = fs::read(directory().join("fully_random-wire.trace")).unwrap();
    input.write_all(&trace[..trace.len() - FRAME_LEN]).unwrap();
    (child, input)
}

#[test]
fn lines_are_shown_as_soon_as_their_events_came() {
    let (mut child, input) = replay_of_a_recording_under_way(&[]);
    let (sender, heard) = channel();
    let output = BufReader::new(child.stdout.take().unwrap());
    thread::spawn(move || output.lines().map(Result::unwrap).try_for_each(|line| sender.send(line)));
    let next = || heard.recv_timeout(Duration::from_secs(60)).unwrap();
    while !next().contains("10.12.192.15:8080") {}
    drop(input);
    while !next().starts_with("attempts") {}
    assert_eq!(wait(&mut child).code(), Some(0));
}

/// As with `ssh node snatrace record -w - | snatrace replay -c 1 -`: more may come, but `replay` does not wait for it.
#[test]
fn a_replay_that_has_shown_enough_ends_while_its_input_goes_on() {
    let (mut child, input) = replay_of_a_recording_under_way(&["-c", "1"]);
    assert_eq!(wait(&mut child).code(), Some(0));
    let mut shown = String::new();
    child.stdout.take().unwrap().read_to_string(&mut shown).unwrap();
    assert_eq!(shown.lines().filter(|line| line.contains("10.12.192.15:8080")).count(), 1, "{shown}");
    drop(input);
}
