//! Without a storm: the time to attach and to detach, and what tail costs in between.

use std::thread;
use std::time::Duration;

use anyhow::Result;

use super::running::Running;
use super::tools::TAIL;
use super::{Bench, machine, tools};
use crate::bench::table::Row;

const IDLE: Duration = Duration::from_secs(10);

pub fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let running = Running::start(bench, tools::find(TAIL).map_err(anyhow::Error::msg)?)?;
    let attached_ms = running.started.as_secs_f64() * 1e3;
    thread::sleep(bench.settle);
    let before = machine::used(running.pid());
    thread::sleep(IDLE);
    let after = machine::used(running.pid());
    let detached_ms = running.end()?.took.as_secs_f64() * 1e3;
    let percent = (after.cpu_ns - before.cpu_ns) as f64 / IDLE.as_nanos() as f64 * 100.0;
    let wakeups = (after.sleeps - before.sleeps) as f64 / IDLE.as_secs_f64();
    Ok(vec![
        Row::at_most("start to attached", attached_ms, 500.0, " ms"),
        Row::at_most("idle: CPU of a core", percent, 0.1, " %"),
        Row::at_most("idle: wake-ups a second", wakeups, 10.0, ""),
        Row::at_most("detach", detached_ms, 500.0, " ms"),
    ])
}
