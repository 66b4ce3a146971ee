//! What a live recorder leaves for those who collect, rotate or remove its files.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use nix::sys::signal::Signal;
use snatrace::store::Reader;
use tests::lab::{ALLOW, Lab};
use tests::process::{Running, until};
use tests::read_trace;

/// A recorder under load.
fn record(lab: &Lab, file: &Path, options: &[&str]) -> (Running, Running) {
    let record = Running::attached(lab.capture("record", ALLOW, options).arg("-w").arg(file));
    (record, Running::start(&mut lab.client(&["--truth", "/dev/null", "-n", "100000"])))
}

fn files(directory: &Path) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.partition(|path| path.extension().is_some_and(|extension| extension == "trace"))
}

#[test]
#[ignore = "needs root: cargo xtask test --only lab"]
fn a_segment_gets_its_name_once_nothing_is_added_even_where_the_recorder_is_killed() {
    let lab = Lab::up("fully_random");
    let directory = tempfile::tempdir().unwrap();
    // What a killed recorder has left is given its name by the next one, and has no end.
    let mut left = BTreeSet::new();
    let assert_whole = |trace: &Path, left: &BTreeSet<PathBuf>| {
        let report = read_trace(trace);
        let is_whole = !report.has_notes();
        assert!((is_whole || left.contains(trace)) && report.events > 0, "{}: {report}", trace.display());
    };
    for _ in 0..3 {
        let (recorder, _load) = record(&lab, &directory.path().join("t.trace"), &["--segment", "700ms"]);
        let (mut seen, before) = (BTreeSet::new(), files(directory.path()).0.len());
        until("two segments more", || {
            let (whole, _) = files(directory.path());
            whole.iter().filter(|trace| seen.insert((*trace).clone())).for_each(|trace| assert_whole(trace, &left));
            seen.len() >= before + 2
        });
        recorder.signal(Signal::SIGKILL);
        let stderr = recorder.finish().stderr;
        assert_eq!(stderr.matches("by a recorder that was killed").count(), left.len().min(1), "{stderr}");
        let (whole, partial) = files(directory.path());
        whole.iter().for_each(|trace| assert_whole(trace, &left));
        assert_eq!(partial.len(), 1, "of the recorder that was killed now: {partial:?}");
        assert_eq!(read_trace(&partial[0]).unfinished, 1, "what it holds can be read");
        let name = partial[0].file_name().unwrap().to_str().unwrap();
        left.insert(partial[0].with_file_name(name.trim_start_matches('.').trim_end_matches(".partial")));
    }
    assert!(left.iter().filter(|trace| trace.exists()).count() == 2);
}

#[test]
#[ignore = "needs root: cargo xtask test --only lab"]
fn a_recorder_whose_file_is_renamed_and_then_removed_says_so_and_goes_on() {
    let lab = Lab::up("fully_random");
    let directory = tempfile::tempdir().unwrap();
    let (trace, old) = (directory.path().join("t.trace"), directory.path().join("t.trace.1"));
    let (recorder, _load) = record(&lab, &trace, &[]);
    let grows = |what: &str| until(what, || trace.metadata().is_ok_and(|file| file.len() > 50_000));
    grows("some events");
    fs::rename(&trace, &old).unwrap();
    grows("events in the second file");
    fs::remove_file(&trace).unwrap();
    grows("events in the third file");
    recorder.signal(Signal::SIGTERM);
    let outcome = recorder.finish();
    for loss in ["renamed or replaced", "removed"] {
        let words = format!("{} was {loss}: the recording goes on in a new file", trace.display());
        assert!(outcome.stderr.contains(&words), "{}", outcome.stderr);
    }
    outcome.done();
    let parts = [&old, &trace].map(|file| Reader::open(file).unwrap().capture.part);
    assert_eq!(parts, [0, 2]);
    assert!([&old, &trace].iter().all(|file| !read_trace(file).has_notes()));
}
