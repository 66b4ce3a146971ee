//! `snatrace schema` describes what commands really write: every line is valid, and has no field that the schema does not name.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed unwrap is a failed test")]

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::PathBuf;

use jsonschema::Validator;
use serde_json::{Value, json};
use tests::golden;
use tests::process::Outcome;

fn snatrace(args: &[&OsStr]) -> String {
    Outcome::of(tests::snatrace(env!("CARGO_BIN_EXE_snatrace-under-test")).args(args)).done()
}

fn run(words: &str, file: Option<&PathBuf>) -> Vec<Value> {
    let mut args: Vec<&OsStr> = words.split(' ').map(OsStr::new).collect();
    args.extend(file.map(|file| file.as_os_str()));
    snatrace(&args).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn schema() -> Value {
    serde_json::from_str(&snatrace(&["schema".as_ref()])).unwrap()
}

/// The definition of a kind of line, closed: a field that it does not name is an error.
fn validators(schema: &Value) -> BTreeMap<String, Validator> {
    let definitions = schema["$defs"].as_object().unwrap();
    let mut validators = BTreeMap::new();
    for (name, definition) in definitions {
        let kind = &definition["properties"]["kind"];
        let kinds = kind["enum"].as_array().cloned().unwrap_or_else(|| vec![kind["const"].clone()]);
        for kind in kinds
            .iter()
            .filter_map(Value::as_str)
            .chain(["attempts", "retransmits"].contains(&name.as_str()).then_some(name.as_str()))
        {
            let mut closed = definition.clone();
            closed["unevaluatedProperties"] = json!(false);
            closed["$defs"] = schema["$defs"].clone();
            closed["$schema"] = schema["$schema"].clone();
            validators.insert(kind.to_owned(), jsonschema::validator_for(&closed).unwrap());
        }
    }
    validators
}

#[test]
fn every_line_that_is_written_is_valid() {
    let (schema, mut seen) = (schema(), BTreeSet::new());
    let (any, validators) = (jsonschema::validator_for(&schema).unwrap(), validators(&schema));
    let mut check = |words: &str, file: Option<&PathBuf>, row: Option<&str>| {
        for line in run(words, file) {
            assert!(any.is_valid(&line), "{words}: {line}");
            let kind = row.unwrap_or_else(|| line["kind"].as_str().unwrap());
            if let Err(error) = validators[kind].validate(&line) {
                panic!("{words}: {error}: {line}");
            }
            seen.insert(kind.to_owned());
        }
    };
    for case in golden::cases() {
        let trace = golden::directory().join(format!("{case}.trace"));
        for words in ["replay -o json --all", "replay -o json --allow any", "report -o json", "infer -o json"] {
            check(words, Some(&trace), None);
        }
        check("export -o jsonl --all -w -", Some(&trace), Some("attempts"));
    }
    let entries = tempfile::NamedTempFile::new().unwrap();
    check("infer -o json --conntrack", Some(&entries.path().to_owned()), None);
    check("doctor -o json", None, None);
    let expected = [
        "attempts",
        "capture",
        "conntrack",
        "doctor",
        "ended",
        "inference",
        "policy",
        "report",
        "retransmit",
        "summary",
    ];
    assert_eq!(seen.iter().map(String::as_str).collect::<Vec<_>>(), expected);
    assert!(["probe", "retransmits"].iter().all(|kind| validators.contains_key(*kind)));
}

#[test]
fn a_line_that_is_wrong_is_refused() {
    let schema = schema();
    let validators = validators(&schema);
    let trace = golden::directory().join("service-wire.trace");
    let line = run("replay -o json", Some(&trace)).into_iter().find(|line| line["kind"] == "retransmit").unwrap();
    for (field, value) in
        [("kind", json!("capture")), ("nat_port", json!(70_000)), ("allowed", json!("all")), ("new", json!(1))]
    {
        let mut wrong = line.clone();
        wrong[field] = value;
        assert!(!validators["retransmit"].is_valid(&wrong), "{field}");
    }
    let mut missing = line;
    missing.as_object_mut().unwrap().remove("nat_port");
    assert!(!validators["retransmit"].is_valid(&missing));
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
