//! `snatrace export` as people call it: tables that agree with the replay, files that are complete or not there.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;
use tests::golden;
use tests::process::{Outcome, json};

fn snatrace(args: &[&OsStr]) -> Outcome {
    Outcome::of(tests::snatrace(env!("CARGO_BIN_EXE_snatrace-under-test")).args(args))
}

fn export(case: &str, options: &[&str], out: &Path) -> Outcome {
    let trace = golden::directory().join(format!("{case}.trace"));
    let mut args: Vec<&OsStr> = vec!["export".as_ref(), trace.as_ref(), "-w".as_ref(), out.as_ref()];
    args.extend(options.iter().map(OsStr::new));
    snatrace(&args)
}

fn names(dir: &Path) -> BTreeSet<String> {
    fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn every_golden_trace_has_as_many_rows_as_its_replay_counts() {
    let dir = TempDir::new().unwrap();
    for case in golden::cases() {
        let all = golden::replay(env!("CARGO_BIN_EXE_snatrace-under-test"), &case, &["-o", "json", "--all"]);
        let shown = json(&Outcome::of(&mut { all }).done());
        let summary = shown.last().unwrap();
        let out = dir.path().join(format!("{case}.jsonl"));
        export(&case, &["-o", "jsonl", "--all"], &out).done();
        let attempts = json(&fs::read_to_string(&out).unwrap());
        let retransmits = dir.path().join(format!("{case}-retransmits.jsonl"));
        let retransmits = json(&fs::read_to_string(retransmits).unwrap());

        let count = |is: &dyn Fn(&&Value) -> bool| attempts.iter().filter(is).count() as u64;
        assert_eq!(attempts.len() as u64, summary["attempts"], "{case}");
        assert_eq!(count(&|row| row["flagged"] == true), summary["flagged_attempts"], "{case}");
        assert_eq!(count(&|row| row["retransmits"] != 0), summary["retransmitted_attempts"], "{case}");
        assert_eq!(count(&|row| !row["nat_port"].is_null()), summary["translated"], "{case}");
        let of_replay: Vec<_> = shown.iter().filter(|line| line["kind"] == "retransmit").collect();
        assert_eq!(of_replay.len(), retransmits.len(), "{case}");
        // The same fact has the same name in both; times are in UTC here.
        for (line, row) in of_replay.iter().zip(&retransmits) {
            let both = line.as_object().unwrap().iter().filter(|(name, _)| *name != "time" && !row[name].is_null());
            both.for_each(|(name, value)| assert_eq!((name, value), (name, &row[name]), "{case}"));
        }
        let key = |row: &Value| ["node", "isn", "start_time"].map(|name| row[name].to_string());
        let mut keys = BTreeMap::new();
        attempts.iter().for_each(|row| *keys.entry(key(row)).or_insert(0) += 1);
        retransmits.iter().for_each(|row| assert_eq!(keys.get(&key(row)), Some(&1), "{case}: {row}"));
    }
}

#[test]
fn without_all_only_what_is_flagged_is_exported() {
    let out = export("fully_random-wire", &["-o", "jsonl"], Path::new("-"));
    let rows = json(&out.done());
    assert!(!rows.is_empty() && rows.iter().all(|row| row["flagged"] == true));
}

/// `cargo xtask test` runs this on the static binary, where the sandbox once refused what Parquet's hash tables need.
#[test]
fn every_format_is_written_in_the_sandbox() {
    let dir = TempDir::new().unwrap();
    for (format, beginning) in
        [("parquet", &b"PAR1"[..]), ("csv", b"cluster,"), ("jsonl", b"{"), ("pcapng", b"\n\r\r\n")]
    {
        let out = dir.path().join(format);
        export("mixed-wire", &["-o", format, "--all"], &out).done();
        let written = fs::read(&out).unwrap();
        assert!(written.starts_with(beginning), "{format}: {:?}", &written[..8]);
    }
}

#[test]
fn csv_has_the_same_values() {
    let [csv, rows_of_json] = ["csv", "jsonl"]
        .map(|format| export("service-wire", &["-o", format, "--all", "--cluster", "a,\"b\""], Path::new("-")).done());
    let mut lines_of_csv = csv.lines();
    let header: Vec<&str> = lines_of_csv.next().unwrap().split(',').collect();
    let quoted = "\"a,\"\"b\"\"\",";
    for (line, row) in lines_of_csv.zip(json(&rows_of_json)) {
        let rest = line.strip_prefix(quoted).unwrap();
        assert_eq!(row["cluster"], "a,\"b\"");
        for (name, value) in header[1..].iter().zip(rest.split(',')) {
            let expected = match &row[*name] {
                Value::Null => String::new(),
                Value::String(text) => text.clone(),
                other @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => other.to_string(),
            };
            assert_eq!(value, expected, "{name}");
        }
    }
}

#[test]
fn a_hive_layout_has_the_same_rows() {
    let dir = TempDir::new().unwrap();
    let lake = dir.path().join("lake");
    let whole = export("mixed-wire", &["-o", "jsonl", "--all"], Path::new("-")).done();
    for _ in 0..2 {
        // Once more replaces the files.
        export("mixed-wire", &["-o", "jsonl", "--all", "--partition-by", "node,hour"], &lake).done();
        let node = lake.join("attempts/node=node-1");
        let hours = names(&node);
        assert!(hours.iter().all(|hour| hour.starts_with("hour=20") && hour.len() == "hour=2026112200".len()));
        let files = hours.iter().flat_map(|hour| {
            let hour = node.join(hour);
            names(&hour).into_iter().map(move |name| fs::read_to_string(hour.join(name)).unwrap())
        });
        let rows: Vec<Value> = files.flat_map(|text| json(&text)).collect();
        assert_eq!(rows.len(), whole.lines().count());
        assert!(rows.iter().all(|row| row.get("node").is_none()), "the path has it");
    }
    export("mixed-wire", &["-o", "csv", "--partition-by", "hour"], Path::new("-"))
        .assert_wrong_usage("--partition-by: standard output cannot be divided");
}

#[test]
fn a_file_is_complete_or_not_there() {
    let dir = TempDir::new().unwrap();
    let out = dir.path().join("out.csv");
    export("ipv6-wire", &["-o", "csv"], &out).done();
    let before = fs::read(&out).unwrap();
    assert_eq!(names(dir.path()), ["out-retransmits.csv", "out.csv"].map(str::to_owned).into());
    // A trace that is not there: the old file stays.
    let failed = snatrace(&["export", "/nonexistent", "-o", "csv", "-w", out.to_str().unwrap()].map(OsStr::new));
    failed.assert_failed(1, "/nonexistent");
    assert_eq!((fs::read(&out).unwrap(), names(dir.path()).len()), (before, 2));
}

#[test]
fn a_trace_is_never_overwritten() {
    let dir = TempDir::new().unwrap();
    let trace = dir.path().join("x-retransmits.trace");
    fs::copy(golden::directory().join("ipv6-wire.trace"), &trace).unwrap();
    let before = fs::read(&trace).unwrap();
    for out in [trace.clone(), dir.path().join("x.trace")] {
        let out =
            snatrace(&["export".as_ref(), trace.as_ref(), "-o".as_ref(), "csv".as_ref(), "-w".as_ref(), out.as_ref()]);
        out.assert_wrong_usage("is one of the traces: name another file");
        assert_eq!(fs::read(&trace).unwrap(), before);
    }
    export("ipv6-wire", &["-o", "csv"], dir.path()).assert_wrong_usage("-w names a directory");
}

fn flagged(file: &Path) -> BTreeSet<String> {
    let out = snatrace(&["replay".as_ref(), "-o".as_ref(), "json".as_ref(), file.as_ref()]).done();
    let flagged = json(&out).into_iter().filter(|line| line["kind"] == "retransmit" && line["flagged"] == true);
    flagged
        .map(|line| ["isn", "src", "src_port", "nat_port", "retransmits"].map(|name| line[name].to_string()).join(" "))
        .collect()
}

/// Where each attempt has a binding: that has the SYN before NAT. Of the node's own connections packets do not show that NAT left them
/// alone, and a port that is used again has the binding of the first attempt.
#[test]
fn packets_that_are_exported_are_flagged_as_the_trace_is() {
    let dir = TempDir::new().unwrap();
    let mut count = 0;
    for case in golden::cases().iter().filter(|case| case.ends_with("-kprobes")) {
        let out = dir.path().join(format!("{case}.pcapng"));
        export(case, &["-o", "pcapng", "--all"], &out).done();
        let expected = flagged(&golden::directory().join(format!("{case}.trace")));
        match case.as_str() {
            "host-kprobes" => {}
            "reused_port-kprobes" => assert!(flagged(&out).is_subset(&expected)),
            _ => assert_eq!(flagged(&out), expected, "{case}"),
        }
        count += expected.len();
    }
    assert!(count > 20, "{count}");
    assert_eq!(names(dir.path()).iter().filter(|name| name.contains("partial")).count(), 0);
}

#[test]
fn without_all_only_packets_of_flagged_attempts_are_exported() {
    let dir = TempDir::new().unwrap();
    let [some, all] = ["some", "all"].map(|name| dir.path().join(name));
    export("service-kprobes", &["-o", "pcapng"], &some).done();
    export("service-kprobes", &["-o", "pcapng", "--all"], &all).done();
    assert_eq!(flagged(&some), flagged(&all));
    assert!(fs::metadata(&some).unwrap().len() < fs::metadata(&all).unwrap().len());
    export("service-kprobes", &["-o", "pcapng", "--cluster", "a"], &some).assert_wrong_usage("packets have no columns");
}
