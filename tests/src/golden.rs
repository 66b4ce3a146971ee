//! Golden traces, recorded on real kernels, and what replaying them must print: `tests/golden/`.
//!
//! A bug report becomes `CASE.trace`; `UPDATE_EXPECT=1 cargo test -p tests --test golden_replays` writes what is expected of it, and
//! the diff is reviewed. Names end in how translated ports were learnt: `-kprobes` (with kprobes), `-wire` (on a kernel without,
//! from the wire alone).
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// How the names of the files end that belong to each trace, and the options of the replay that prints them.
pub const EXPECTED: &[(&str, &[&str])] = &[
    ("txt", &["-o", "text"]),
    ("jsonl", &["-o", "json"]),
    ("all.txt", &["-o", "text", "--all", "--utc", "--allow", "any"]),
];

pub fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden")
}

/// Names of the traces.
pub fn cases() -> BTreeSet<String> {
    let names = fs::read_dir(directory()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let cases: BTreeSet<String> = names.filter_map(|name| name.strip_suffix(".trace").map(str::to_owned)).collect();
    assert!(cases.len() >= 6, "{cases:?}");
    cases
}

/// A call that replays a trace.
pub fn replay(built: &str, case: &str, options: &[&str]) -> Command {
    let mut command = crate::snatrace(built);
    command.arg("replay").args(options).arg(directory().join(format!("{case}.trace")));
    command
}
