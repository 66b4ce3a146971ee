//! What became of each step, as a table at the end.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;

pub enum Outcome {
    Done,
    /// With the reason, in plain words.
    Skipped(String),
}

pub fn skipped(reason: impl Into<String>) -> Result<Outcome> {
    Ok(Outcome::Skipped(reason.into()))
}

pub struct Row {
    name: String,
    time: Duration,
    outcome: Result<Outcome>,
}

impl Row {
    /// A failure is shown at once, and again in and below the table.
    pub fn new(name: &str, time: Duration, outcome: Result<Outcome>) -> Self {
        match &outcome {
            Ok(Outcome::Done) => {}
            Ok(Outcome::Skipped(reason)) => eprintln!("{name}: skipped: {reason}"),
            Err(error) => eprintln!("{name}: FAILED: {}", first_line(&format!("{error:#}"))),
        }
        Self { name: name.to_owned(), time, outcome }
    }

    pub fn left_out(name: &str) -> Self {
        Self::new(name, Duration::ZERO, skipped("left out by --skip"))
    }
}

/// Prints the table; success unless a step failed.
pub fn print(rows: &[Row]) -> ExitCode {
    println!();
    for row in rows {
        let (result, note) = match &row.outcome {
            Ok(Outcome::Done) => ("done", String::new()),
            Ok(Outcome::Skipped(reason)) => ("skipped", first_line(reason)),
            Err(error) => ("FAILED", first_line(&format!("{error:#}"))),
        };
        println!("{}", format!("{:<14} {result:<8} {:>7.1} s  {note}", row.name, row.time.as_secs_f32()).trim_end());
    }
    for (row, error) in rows.iter().filter_map(|row| Some((row, row.outcome.as_ref().err()?))) {
        for line in format!("{error:#}").lines().skip(1) {
            println!("{} | {line}", row.name);
        }
    }
    let count = |is: fn(&Row) -> bool| rows.iter().filter(|row| is(row)).count();
    let passed = count(|row| matches!(row.outcome, Ok(Outcome::Done)));
    let failed = count(|row| row.outcome.is_err());
    let skipped = count(|row| matches!(row.outcome, Ok(Outcome::Skipped(_))));
    println!("\n{passed} passed, {failed} failed, {skipped} skipped");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}
