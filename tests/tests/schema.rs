//! `snatrace schema` describes what commands really write: every line is valid, and has no field that the schema does not name.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::PathBuf;

use serde_json::{Value, json};
use tests::golden;
use tests::process::Outcome;
use tests::schema::Schema;

fn snatrace(args: &[&OsStr]) -> String {
    Outcome::of(tests::snatrace(env!("CARGO_BIN_EXE_snatrace-under-test")).args(args)).done()
}

fn run(words: &str, file: Option<&PathBuf>) -> Vec<Value> {
    text(words, file).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn text(words: &str, file: Option<&PathBuf>) -> String {
    let mut args: Vec<&OsStr> = words.split(' ').map(OsStr::new).collect();
    args.extend(file.map(|file| file.as_os_str()));
    snatrace(&args)
}

fn schema() -> Schema {
    Schema::new(&snatrace(&["schema".as_ref()]))
}

#[test]
fn every_line_that_is_written_is_valid() {
    let mut schema = schema();
    let mut check =
        |words: &str, file: Option<&PathBuf>, row: Option<&str>| schema.check(words, &text(words, file), row);
    for case in golden::cases() {
        let trace = golden::directory().join(format!("{case}.trace"));
        for words in ["replay -o json --all", "replay -o json --allow any", "report -o json", "infer -o json"] {
            check(words, Some(&trace), None);
        }
        check("replay -o json --all --max-lines 1/m --interval 2s", Some(&trace), None);
        check("export -o jsonl --all -w -", Some(&trace), Some("attempts"));
    }
    let entries = tempfile::NamedTempFile::new().unwrap();
    check("infer -o json --conntrack", Some(&entries.path().to_owned()), None);
    check("doctor -o json", None, None);
    let live: BTreeSet<&str> = ["probe", "retransmits"].into();
    assert_eq!(schema.kinds().filter(|kind| !schema.seen.contains(*kind)).collect::<BTreeSet<_>>(), live);
}

#[test]
fn a_line_that_is_wrong_is_refused() {
    let schema = schema();
    let trace = golden::directory().join("service-wire.trace");
    let line = run("replay -o json", Some(&trace)).into_iter().find(|line| line["kind"] == "retransmit").unwrap();
    for (field, value) in
        [("kind", json!("capture")), ("nat_port", json!(70_000)), ("allowed", json!("all")), ("new", json!(1))]
    {
        let mut wrong = line.clone();
        wrong[field] = value;
        assert!(!schema.is_valid("retransmit", &wrong), "{field}");
    }
    let mut missing = line;
    missing.as_object_mut().unwrap().remove("nat_port");
    assert!(!schema.is_valid("retransmit", &missing));
}

/// The report counts what the replay and the rows of the export count.
#[test]
fn a_report_has_the_counts_of_the_summary() {
    for case in golden::cases() {
        let trace = golden::directory().join(format!("{case}.trace"));
        let lines = run("report -o json", Some(&trace));
        let (report, summary) = (&lines[lines.len() - 2], &lines[lines.len() - 1]);
        let replayed = run("replay -o json", Some(&trace)).pop().unwrap();
        assert_eq!(
            (summary, &report["attempts"], &report["flagged"]),
            (&replayed, &summary["attempts"], &summary["flagged_attempts"]),
            "{case}"
        );
        let rows = run("export -o jsonl --all -w -", Some(&trace));
        for (name, answer) in [("inside", true), ("outside", false)] {
            let of = |answer: &str, allowed: bool| {
                let is = |row: &&Value| {
                    row["answer"] == answer
                        && row["port_allowed"] == allowed
                        && row["translated"] != false
                        && row["ip_version"] == 4
                };
                rows.iter().filter(is).count()
            };
            let ports = &report["ports"]["ipv4"][name];
            if !ports.is_null() {
                assert_eq!(
                    (&ports["answered"], &ports["unanswered"]),
                    (&json!(of("answered", answer)), &json!(of("unanswered", answer))),
                    "{case}"
                );
            }
        }
    }
}
