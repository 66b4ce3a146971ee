//! The subcommands, one file each.

use std::process::ExitCode;

/// Parses the command line, runs it, prints a one-line error.
#[must_use]
pub fn main() -> ExitCode {
    ExitCode::SUCCESS
}
