//! Without a storm: what tail costs while nothing happens, and how long attaching and detaching take.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::json;

use super::machine;
use super::running::Running;
use super::tools::{self, TAIL, Tool};
use super::{Bench, Report};
use crate::bench::figures::Spread;
use crate::bench::table::Row;

const IDLE: Duration = Duration::from_secs(10);
const STARTS: usize = 7;

fn tail() -> Result<&'static Tool> {
    tools::find(TAIL).map_err(anyhow::Error::msg)
}

/// CPU and wake-ups of tail while the lab is silent; connections of the machine itself are seen too.
pub fn idle(bench: &Bench, report: &mut Report) -> Result<()> {
    let running = Running::start(bench, tail()?)?;
    thread::sleep(bench.plan.settle);
    let before = machine::used(running.pid());
    thread::sleep(IDLE);
    let after = machine::used(running.pid());
    running.end()?;
    let share = (after.cpu_ns - before.cpu_ns) as f64 / IDLE.as_nanos() as f64 * 100.0;
    let wakes = (after.sleeps - before.sleeps) as f64 / IDLE.as_secs_f64();
    report.row(Row::at_most("idle: CPU of a core", share, 0.1, " %"));
    report.row(Row::at_most("idle: wake-ups a second", wakes, 10.0, ""));
    report.raw("idle", json!({ "cpu_percent": share, "wakes_per_s": wakes }));
    Ok(())
}

/// From start to attached, and from Ctrl-C to gone.
pub fn start(bench: &Bench, report: &mut Report) -> Result<()> {
    let (mut starts, mut ends) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let running = Running::start(bench, tail()?)?;
        starts.push(running.started.as_secs_f64() * 1e3);
        ends.push(running.end()?.took.as_secs_f64() * 1e3);
    }
    for (what, times) in [("start to attached", starts), ("detach", ends)] {
        let spread = Spread::of(times).context("nothing was started")?;
        report.row(Row::at_most(what, spread.max, 500.0, " ms").measured(format!("{spread:.0} ms")));
        report.raw(what, spread.json());
    }
    Ok(())
}
