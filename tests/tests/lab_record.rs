//! What was recorded live is replayed byte for byte, whole or in parts, and can be judged again with another policy.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed unwrap is a failed test")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;
use tests::capturing;
use tests::lab::{ALLOW, Lab};
use tests::process::{Outcome, is_notice, json, summary, within};

/// Less than what the filter of the lab drops: with `--all` there are retransmits of both kinds.
const GENEROUS: &str = "16384-65535";

/// What `record --print` printed, and where the traces are.
struct Recording {
    printed: String,
    directory: TempDir,
}

impl Recording {
    fn of(lab: &Lab, allow: &str, connections: u32, options: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut record = lab.capture("record", allow, &["--print", "-w"]);
        record.arg(directory.path().join("t")).args(options).arg("--").args(Lab::traffic(connections));
        let printed = Outcome::of(&mut record).done();
        Self { printed, directory }
    }

    /// All files, in the order of their names.
    fn parts(&self) -> Vec<PathBuf> {
        let mut parts: Vec<_> =
            fs::read_dir(self.directory.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        parts.sort();
        parts
    }
}

fn replay(traces: &[PathBuf], options: &[&str]) -> String {
    let outcome = Outcome::of(capturing().arg("replay").args(options).args(traces));
    assert_eq!(outcome.stderr, "", "a whole trace needs no words");
    outcome.done()
}

/// Without a diff of thousands of lines.
#[track_caller]
fn assert_same(replayed: &str, printed: &str) {
    let differs = replayed.lines().zip(printed.lines()).position(|(one, other)| one != other);
    assert!(replayed == printed, "line {differs:?}, {} and {} bytes", replayed.len(), printed.len());
}

#[test]
#[ignore = "needs root: cargo xtask test --only lab"]
fn json_of_5000_connections_is_replayed_byte_for_byte() {
    let lab = Lab::up("fully_random");
    let recording = Recording::of(&lab, ALLOW, 5000, &["-o", "json"]);
    let counts = summary(&recording.printed);
    assert_eq!((&counts["attempts"], &counts["lost"]), (&5000.into(), &0.into()));
    assert!(counts["flagged_attempts"].as_u64() > Some(2000), "{counts}");
    assert_same(&replay(&recording.parts(), &["-o", "json"]), &recording.printed);
    // The machine's own policy and time zone are not asked.
    let mut elsewhere = capturing();
    elsewhere.env("SNATRACE_ALLOW", "any").env("TZ", "Asia/Kathmandu").args(["replay", "-o", "json"]);
    assert_same(&Outcome::of(elsewhere.args(recording.parts())).done(), &recording.printed);
}

#[test]
#[ignore = "needs root: cargo xtask test --only lab"]
fn text_and_lines_that_are_not_flagged_are_replayed_byte_for_byte() {
    let lab = Lab::up("fully_random");
    for options in [&["-o", "text"][..], &["-o", "text", "--all", "--utc"], &["-o", "json", "--all"]] {
        let recording = Recording::of(&lab, GENEROUS, 400, options);
        assert!(recording.printed.lines().count() > 100, "{}", recording.printed);
        assert_same(&replay(&recording.parts(), options), &recording.printed);
        if options.contains(&"json") {
            let count =
                |flagged: bool| json(&recording.printed).iter().filter(|line| line["flagged"] == flagged).count();
            assert!(count(true) > 0 && count(false) > 0);
            assert!(!replay(&recording.parts(), &["-o", "json"]).contains(r#""flagged":false"#));
        }
    }
}

#[test]
#[ignore = "needs root: cargo xtask test --only lab"]
fn another_policy_prints_what_a_tail_with_it_printed_at_the_same_time() {
    const OTHER: &str = "10000-39999";
    let lab = Lab::up("fully_random");
    let directory = tempfile::tempdir().unwrap();
    let trace = directory.path().join("t");
    let both = |_| {
        let mut tail = lab.capture("tail", OTHER, &["-o", "json", "--"]);
        tail.args(Lab::traffic(400));
        let mut record = lab.capture("record", ALLOW, &["-w"]);
        record.arg(&trace).arg("--").arg(tail.get_program()).args(tail.get_args());
        let tailed = Outcome::of(&mut record).done();
        (replay(std::slice::from_ref(&trace), &["-o", "json", "--allow", OTHER]), tailed)
    };
    // Each capture has programs of its own: the kernel may skip those of one, and events of two CPUs at the same moment may reach the two
    // in another order, so that one counts an attempt more at that moment.
    let is_alike = |(one, other): &(String, String)| {
        summary(one)["skipped"] == summary(other)["skipped"] && lines_without_time(one) == lines_without_time(other)
    };
    let (replayed, tailed) = (0..5).map(both).find(is_alike).unwrap();
    // The two captures do not end in the same millisecond.
    let counts = |text: &str| {
        let mut summary = summary(text);
        summary.as_object_mut().unwrap().remove("time");
        summary
    };
    assert_eq!(counts(&replayed), counts(&tailed));
    let flagged = |text: &str| summary(text)["flagged_attempts"].as_u64().unwrap();
    let recorded = replay(&[trace], &["-o", "json"]);
    assert!(flagged(&recorded) > 0 && flagged(&recorded) != flagged(&replayed), "the policies are too much alike");
}

/// Findings in an order of their own: two captures have clocks of their own, and two processors write at once.
fn lines_without_time(text: &str) -> Vec<String> {
    let findings = json(text).into_iter().filter(|line| line["kind"] == "retransmit").map(|mut line| {
        line["time"].take();
        line.to_string()
    });
    let mut lines: Vec<_> = findings.collect();
    assert!(!lines.is_empty(), "{text}");
    lines.sort();
    lines
}

#[test]
#[ignore = "needs root: cargo xtask test --only lab"]
fn parts_are_replayed_as_the_single_stream_they_are() {
    let lab = Lab::up("fully_random");
    let recording = Recording::of(&lab, ALLOW, 5000, &["-o", "json", "-C", "64K"]);
    let mut parts = recording.parts();
    assert!(parts.len() >= 3, "{parts:?}");
    assert!(parts.iter().all(|part| part.metadata().unwrap().len() <= 64 << 10), "{parts:?}");
    assert!(parts.iter().all(|part| mode(part) == 0o600), "{parts:?}");
    // Whatever the order they are named in.
    parts.reverse();
    assert_same(&replay(&parts, &["-o", "json"]), &recording.printed);
}

#[test]
#[ignore = "needs root: cargo xtask test --only lab"]
fn a_ring_of_parts_keeps_the_newest() {
    let lab = Lab::up("fully_random");
    let recording = Recording::of(&lab, ALLOW, 5000, &["-o", "json", "-C", "64K", "-W", "2"]);
    let names: Vec<_> = recording.parts().iter().map(|part| part.file_name().unwrap().to_owned()).collect();
    assert_eq!(names, ["t0", "t1"]);
    let replayed = replay(&recording.parts(), &["-o", "json"]);
    let attempts = summary(&replayed)["attempts"].as_u64().unwrap();
    assert!(attempts > 0 && attempts < 5000, "{attempts}");
    // The evidence is that of the parts, and of the whole recording.
    let last = |text: &str| {
        let line: Value = serde_json::from_str(text.lines().rev().nth(1).unwrap()).unwrap();
        ["time", "isn", "retransmits", "cause"].map(|field| line[field].to_string())
    };
    assert_eq!(last(&replayed), last(&recording.printed), "the newest finding is there");
}

#[test]
#[ignore = "needs root: cargo xtask test --only lab"]
fn traces_are_for_their_owner_alone() {
    let lab = Lab::up("fully_random");
    let directory = tempfile::tempdir().unwrap();
    let (new, old) = (directory.path().join("new"), directory.path().join("old"));
    fs::write(&old, "an older file that anybody may read").unwrap();
    fs::set_permissions(&old, fs::Permissions::from_mode(0o644)).unwrap();
    for trace in [new, old] {
        let mut record = Command::new("sh");
        record.args(["-c", "umask 0; exec \"$@\"", "sh"]);
        let mut record = within(record, &lab.capture("record", ALLOW, &["-w"]));
        let outcome = Outcome::of(record.arg(&trace).args(["--", "true"]));
        let said: Vec<_> = outcome.stderr.lines().filter(|line| !is_notice(line)).collect();
        assert!(said.len() == 3 && said[0].starts_with("snatrace: recorded "), "{outcome:?}");
        assert_eq!(said[2], "snatrace: no attempt matches --src");
        assert!(said[1].starts_with("snatrace: 0 attempts, 0 retransmitted, 0 flagged, 0 events lost"), "{outcome:?}");
        assert_eq!(outcome.done(), "", "without --print nothing is printed");
        assert_eq!(mode(&trace), 0o600);
    }
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o7777
}
