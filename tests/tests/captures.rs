//! Packet captures of one run in the lab: all interfaces (a pcapng that Wireshark's editcap wrote), and both sides of NAT, each as a
//! file. All show what the live trace of that run showed.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use expect_test::expect_file;
use serde_json::Value;
use tests::process::{Outcome, json};

const VIEWS: [&[&str]; 3] = [&["any.pcapng.gz"], &["outside.pcap.gz", "inside.pcap.gz"], &["outside.pcap.gz"]];

fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("captures")
}

fn snatrace(words: &[&str], files: &[&str]) -> Command {
    let mut command = tests::snatrace(env!("CARGO_BIN_EXE_snatrace-under-test"));
    command.args(words).args(files.iter().map(|file| directory().join(file)));
    command
}

fn lines(words: &[&str], files: &[&str]) -> Vec<Value> {
    json(&Outcome::of(&mut snatrace(words, files)).done())
}

#[test]
fn every_view_flags_the_same_retransmits() {
    let flagged = |files: &[&str]| -> BTreeSet<String> {
        let lines = lines(&["replay", "-o", "json"], files);
        let flagged = lines.iter().filter(|line| line["kind"] == "retransmit" && line["flagged"] == true);
        flagged.map(|line| format!("{} {} {}", line["isn"], line["nat_port"], line["retransmits"])).collect()
    };
    let [all, both, outside] = VIEWS.map(flagged);
    assert_eq!((all.len(), &all, &all), (62, &both, &outside));
}

#[test]
fn every_view_infers_the_same() {
    let is_inference = |line: &Value| line["kind"] == "inference";
    let inferred =
        |files: &[&str]| lines(&["infer", "-o", "json"], files).into_iter().filter(is_inference).collect::<Vec<_>>();
    let [all, both, outside] = VIEWS.map(inferred);
    assert!(!all.is_empty());
    assert_eq!((&all, &all), (&both, &outside));
}

#[test]
fn a_capture_is_replayed_as_expected() {
    for (files, name) in VIEWS.iter().zip(["any.txt", "both.txt", "outside.txt"]) {
        let out = Outcome::of(&mut snatrace(&["replay", "-o", "text"], files)).done();
        expect_file![directory().join(name)].assert_eq(&out);
    }
}

#[test]
fn standard_input_is_read_and_a_report_is_made() {
    let file = directory().join("any.pcapng.gz");
    let mut command = tests::snatrace(env!("CARGO_BIN_EXE_snatrace-under-test"));
    command.args(["report", "-"]).stdin(std::fs::File::open(file).unwrap());
    let report = String::from_utf8(command.output().unwrap().stdout).unwrap();
    assert!(report.contains("standard input (packet capture)"), "{report}");
}
