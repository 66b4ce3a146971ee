//! `snatrace report` as people call it: what goes where, and what is never overwritten.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use tempfile::TempDir;
use tracer_common::events::{Stamp, Tick};

/// Every kind of event, few attempts.
const TRACE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/golden/format/v1.0.trace");

fn report(args: &[&Path]) -> Output {
    let mut command = tests::snatrace(env!("CARGO_BIN_EXE_snatrace-under-test"));
    command.arg("report").args(args).stdin(Stdio::null()).output().unwrap()
}

fn fails(args: &[&Path], code: i32, expected: &str) {
    let Output { status, stdout, stderr } = report(args);
    let stderr = String::from_utf8(stderr).unwrap();
    assert_eq!((status.code(), stdout.as_slice()), (Some(code), &b""[..]), "{stderr}");
    assert!(stderr.contains(expected) && (stderr.lines().count() == 1 || code == 2), "{expected} is not in: {stderr}");
}

/// A copy of the trace, so that a test that fails does no harm.
fn copy(dir: &TempDir) -> PathBuf {
    let trace = dir.path().join("a.trace");
    fs::copy(TRACE, &trace).unwrap();
    trace
}

#[test]
fn the_text_goes_to_standard_output_and_the_page_to_its_file() {
    let dir = TempDir::new().unwrap();
    let page = dir.path().join("report.html");
    let only_text = report(&[TRACE.as_ref()]);
    let both = report(&[TRACE.as_ref(), "--html".as_ref(), &page]);
    assert!(only_text.status.success() && both.status.success());
    assert_eq!(only_text.stdout, both.stdout);
    assert_eq!(String::from_utf8(only_text.stderr).unwrap(), "", "no progress without a terminal");
    let text = String::from_utf8(both.stdout).unwrap();
    assert!(text.starts_with("snatrace report of "), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    assert!(fs::read_to_string(&page).unwrap().starts_with("<!DOCTYPE html>"));
    assert_eq!(fs::metadata(&page).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn the_same_traces_give_the_same_bytes() {
    let dir = TempDir::new().unwrap();
    let pages = ["a", "b"].map(|name| dir.path().join(name));
    pages.iter().for_each(|page| assert!(report(&[TRACE.as_ref(), "--html".as_ref(), page]).status.success()));
    assert_eq!(fs::read(&pages[0]).unwrap(), fs::read(&pages[1]).unwrap());
}

#[test]
fn an_older_longer_page_is_overwritten_as_a_whole() {
    let dir = TempDir::new().unwrap();
    let page = dir.path().join("report.html");
    fs::write(&page, "x".repeat(1 << 20)).unwrap();
    fs::set_permissions(&page, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(report(&[TRACE.as_ref(), "--html".as_ref(), &page]).status.success());
    assert!(fs::read_to_string(&page).unwrap().trim_end().ends_with("</html>"));
    assert_eq!(fs::metadata(&page).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_trace_is_never_overwritten_by_its_own_report() {
    let dir = TempDir::new().unwrap();
    let trace = copy(&dir);
    let link = dir.path().join("link.html");
    fs::hard_link(&trace, &link).unwrap();
    let other = dir.path().join("symbolic.html");
    std::os::unix::fs::symlink(&trace, &other).unwrap();
    for page in [&trace, &other, &link] {
        fails(&[&trace, "--html".as_ref(), page], 2, "is one of the traces: name another file");
        assert_eq!(fs::read(&trace).unwrap(), fs::read(TRACE).unwrap());
    }
}

#[test]
fn a_page_that_cannot_be_written_is_told_before_anything_is_shown() {
    let dir = TempDir::new().unwrap();
    fails(&[TRACE.as_ref(), "--html".as_ref(), dir.path()], 1, "Is a directory; name another file");
    fails(&[TRACE.as_ref(), "--html".as_ref(), &dir.path().join("no/report.html")], 1, "No such file or directory");
    fails(&[TRACE.as_ref(), "--html".as_ref(), "-".as_ref()], 2, "the text goes to standard output");
}

#[test]
fn what_is_no_trace_is_refused_and_no_page_is_made() {
    let dir = TempDir::new().unwrap();
    let page = dir.path().join("report.html");
    fails(&[dir.path(), "--html".as_ref(), &page], 1, "this is a directory");
    assert!(!page.exists());
}

#[test]
fn a_policy_can_be_tried_out() {
    let text = |allow: &str| {
        let output = report(&[TRACE.as_ref(), "--allow".as_ref(), allow.as_ref()]);
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(text("1-1023").contains("allowed translated ports 1-1023 (--allow)"));
    assert!(text("any").contains("allowed translated ports any (--allow)"));
    assert_ne!(text("1-1023"), text("any"));
}

#[test]
fn a_trace_of_a_quiet_node_says_that_nothing_was_seen() {
    let dir = TempDir::new().unwrap();
    for ticks in [0, 100] {
        let (trace, page) = (dir.path().join("quiet.trace"), dir.path().join("quiet.html"));
        let golden = snatrace::store::Reader::open(TRACE.as_ref()).unwrap();
        let mut writer = snatrace::store::Writer::create(&trace, &golden.capture).unwrap();
        for tick in 0..ticks {
            let stamp = Stamp { time_ns: tick * 50_000_000, kind: Tick::KIND, netns: 0 };
            writer.write(&Tick { stamp }.into()).unwrap();
        }
        writer.finish().unwrap();
        let output = report(&[&trace, "--html".as_ref(), &page]);
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("No connection attempt was seen."), "{text}");
        assert!(text.contains(&format!("{ticks} events were read")), "{text}");
        assert!(fs::read_to_string(&page).unwrap().contains("No connection attempt was seen."));
    }
}
