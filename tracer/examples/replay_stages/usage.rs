//! Time and memory of a process.

use std::ffi::OsString;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::time::TimeVal;
use serde_json::{Value, json};

/// Of this process, of which nothing else was asked.
pub fn of_this(work: impl FnOnce() -> Result<Value>) -> Result<Value> {
    let start = Instant::now();
    let result = work()?;
    measured(UsageWho::RUSAGE_SELF, start, result)
}

/// Of a program without output, the only child of this process.
pub fn of_program(command: &[OsString]) -> Result<Value> {
    let (program, arguments) = command.split_first().context("a program to run is missing")?;
    let start = Instant::now();
    let mut command = Command::new(program);
    let status = command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    if !status.success() {
        bail!("{} failed: {status}", program.display());
    }
    measured(UsageWho::RUSAGE_CHILDREN, start, json!({}))
}

fn measured(who: UsageWho, start: Instant, mut result: Value) -> Result<Value> {
    let wall_s = start.elapsed().as_secs_f64();
    let usage = getrusage(who)?;
    result["wall_s"] = json!(wall_s);
    result["cpu_s"] = json!(cpu_s(&usage));
    // Linux counts in KiB.
    result["peak_mib"] = json!(usage.max_rss() as f64 / 1024.0);
    Ok(result)
}

fn cpu_s(usage: &Usage) -> f64 {
    let seconds = |time: TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    seconds(usage.user_time()) + seconds(usage.system_time())
}
