//! Without a storm: what tail costs while nothing happens, and how long attaching and detaching take.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

use super::running::Running;
use super::tools::TAIL;
use super::{Bench, machine, tools};
use crate::bench::spread::Spread;
use crate::bench::table::Row;

const IDLE: Duration = Duration::from_secs(10);
const STARTS: usize = 7;
const CPU_TARGET_PERCENT: f64 = 0.1;
const WAKEUPS_TARGET: f64 = 10.0;
const START_TARGET_MS: f64 = 500.0;

pub fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let tail = tools::find(TAIL).map_err(anyhow::Error::msg)?;
    let running = Running::start(bench, tail)?;
    thread::sleep(bench.settle);
    let before = machine::used(running.pid());
    thread::sleep(IDLE);
    let after = machine::used(running.pid());
    running.end()?;
    let percent = (after.cpu_ns - before.cpu_ns) as f64 / IDLE.as_nanos() as f64 * 100.0;
    let wakeups = (after.sleeps - before.sleeps) as f64 / IDLE.as_secs_f64();

    let (mut starts, mut ends) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let running = Running::start(bench, tail)?;
        starts.push(running.started.as_secs_f64() * 1e3);
        ends.push(running.end()?.took.as_secs_f64() * 1e3);
    }
    let slowest = |what, times: Vec<f64>| {
        let spread = Spread::of(times).context("nothing was started")?;
        Ok::<_, anyhow::Error>(
            Row::at_most(what, spread.max, START_TARGET_MS, " ms").measured(format!("{spread:.0} ms")),
        )
    };
    Ok(vec![
        Row::at_most("idle: CPU of a core", percent, CPU_TARGET_PERCENT, " %"),
        Row::at_most("idle: wake-ups a second", wakeups, WAKEUPS_TARGET, ""),
        slowest("start to attached", starts)?,
        slowest("detach", ends)?,
    ])
}
