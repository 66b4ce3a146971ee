//! Tests of the whole: command line, golden traces, lab, kernel matrix. Here is what they share.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

pub mod attached;
pub mod golden;
pub mod fuzz;
pub mod lab;
pub mod process;
pub mod schema;

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use snatrace::store::{BATCH, ReadReport, Reader};

/// A call of the binary under test, with a clean environment: the one that `SNATRACE_BIN` names, else `built`.
pub fn snatrace(built: &str) -> Command {
    clean(env::var_os("SNATRACE_BIN").map_or_else(|| PathBuf::from(built), PathBuf::from))
}

/// The same where nothing but the release binary will do, as it can capture.
pub fn capturing() -> Command {
    clean(binary())
}

/// The release binary.
#[expect(clippy::expect_used, reason = "a test without what it tests has failed")]
pub fn binary() -> PathBuf {
    env::var_os("SNATRACE_BIN").map(PathBuf::from).expect("SNATRACE_BIN: run `cargo xtask test --only lab`")
}

/// A call of the lab that was built with it: `snatrace-lab`, beside.
pub fn snatrace_lab() -> Command {
    clean(binary().with_file_name("snatrace-lab"))
}

/// Reads a trace to its end.
pub fn read_trace(trace: &Path) -> ReadReport {
    let (mut reader, mut batch) = (Reader::open(trace).unwrap(), Vec::new());
    while reader.blocks.read(BATCH, 0, &mut batch).unwrap() {
        batch.clear();
    }
    *reader.blocks.report()
}

fn clean(binary: PathBuf) -> Command {
    let mut command = Command::new(binary);
    for option in ["ALLOW", "ALLOW6", "NODE"] {
        command.env_remove(format!("SNATRACE_{option}"));
    }
    command.env("NO_COLOR", "1");
    command
}
