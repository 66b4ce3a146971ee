//! What became of each step, as a table at the end.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Error, Result};

use crate::debian;

/// Why a step cannot run here: an error that fails nothing.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Skipped(pub &'static str);

pub fn skipped(reason: &'static str) -> Error {
    Skipped(reason).into()
}

/// Skips a step whose programs are missing where none can be installed.
pub fn or_skip(needed: Result<()>) -> Result<()> {
    if debian::can_install() { needed } else { needed.context(Skipped("programs are missing")) }
}

pub struct Row {
    name: String,
    time: Duration,
    result: &'static str,
    /// The reason: of a failure, several lines.
    note: String,
}

impl Row {
    /// What did not run to its end is shown at once, and again in and below the table.
    pub fn new(name: &str, time: Duration, outcome: Result<()>) -> Self {
        let result = match &outcome {
            Ok(()) => "done",
            Err(error) if error.is::<Skipped>() => "skipped",
            Err(_) => "FAILED",
        };
        let note = outcome.err().map(|error| format!("{error:#}")).unwrap_or_default();
        let row = Self { name: name.to_owned(), time, result, note };
        if result != "done" {
            eprintln!("{name}: {result}: {}", row.first_line());
        }
        row
    }

    fn first_line(&self) -> &str {
        self.note.lines().next().unwrap_or_default()
    }
}

/// Prints the table; success unless a step failed.
pub fn print(rows: &[Row]) -> ExitCode {
    println!();
    for row in rows {
        let Row { name, time, result, .. } = row;
        println!(
            "{}",
            format!("{name:<14} {result:<8} {:>7.1} s  {}", time.as_secs_f32(), row.first_line()).trim_end()
        );
    }
    for row in rows {
        row.note.lines().skip(1).for_each(|line| println!("{} | {line}", row.name));
    }
    let [passed, failed, skipped] =
        ["done", "FAILED", "skipped"].map(|result| rows.iter().filter(|row| row.result == result).count());
    println!("\n{passed} passed, {failed} failed, {skipped} skipped");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
