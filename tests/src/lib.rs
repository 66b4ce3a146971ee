//! Tests of the whole: command line, golden traces, lab, kernel matrix. Here is what they share.

pub mod attached;
pub mod golden;
pub mod fuzz;
pub mod lab;
pub mod process;
pub mod schema;

use std::env;
use std::path::PathBuf;
use std::process::Command;

/// A call of the binary under test, with a clean environment: the one that `SNATRACE_BIN` names, else `built`.
#[must_use]
pub fn snatrace(built: &str) -> Command {
    clean(env::var_os("SNATRACE_BIN").map_or_else(|| PathBuf::from(built), PathBuf::from))
}

/// The same where nothing but the release binary will do, as it can capture.
///
/// # Panics
/// When `SNATRACE_BIN` is not set.
#[must_use]
pub fn capturing() -> Command {
    clean(binary())
}

/// The release binary.
///
/// # Panics
/// When `SNATRACE_BIN` is not set.
#[must_use]
#[expect(clippy::expect_used, reason = "a test without what it tests has failed")]
pub fn binary() -> PathBuf {
    env::var_os("SNATRACE_BIN").map(PathBuf::from).expect("SNATRACE_BIN: run `cargo xtask test --only lab`")
}

/// A call of the lab that was built with it: `snatrace-lab`, beside.
///
/// # Panics
/// When `SNATRACE_BIN` is not set.
#[must_use]
pub fn snatrace_lab() -> Command {
    clean(binary().with_file_name("snatrace-lab"))
}

fn clean(binary: PathBuf) -> Command {
    let mut command = Command::new(binary);
    for option in ["ALLOW", "ALLOW6", "NODE"] {
        command.env_remove(format!("SNATRACE_{option}"));
    }
    command.env("NO_COLOR", "1");
    command
}
