//! Tests of the whole: command line, golden traces, lab, kernel matrix.

use std::env;
use std::path::PathBuf;
use std::process::Command;

/// A call of the binary under test, with a clean environment: the one that `SNATRACE_BIN` names, else `built`.
#[must_use]
pub fn snatrace(built: &str) -> Command {
    let binary = env::var_os("SNATRACE_BIN").map_or_else(|| PathBuf::from(built), PathBuf::from);
    let mut command = Command::new(binary);
    command.env_remove("SNATRACE_ALLOW").env_remove("SNATRACE_ALLOW6").env("NO_COLOR", "1");
    command
}
