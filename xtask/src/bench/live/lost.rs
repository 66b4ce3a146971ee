//! A long storm at maximum rate, in which nothing may be lost; its recording gives the size of an event.

use std::fs;

use anyhow::{Context, Result};

use super::Bench;
use super::running::Running;
use super::storm::Storm;
use super::tools::{self, RECORD, TAIL};
use crate::bench::table::Row;

const BYTES_TARGET: f64 = 16.0;
/// A minute, unless windows are shorter than usual.
const WINDOWS: u32 = 20;

pub fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let length = bench.window * WINDOWS;
    let mut rows = Vec::new();
    for name in [TAIL, RECORD] {
        bench.progress(&format!("{name}: {} s of storm", length.as_secs()));
        let mut storm = Storm::start(bench, None)?;
        let running = Running::start(bench, tools::find(name).map_err(anyhow::Error::msg)?)?;
        let dir = running.dir.clone();
        let window = storm.window(length, Some(running.pid()))?;
        let ended = running.end()?;
        let lost =
            ended.lost.with_context(|| format!("{name} reported no loss count and ended with {}", ended.status))?;
        let what = format!("lost events, {} s of maximum storm, {name}", length.as_secs());
        let measured = format!("{lost} of {:.0} connections", window.established);
        rows.push(Row::at_most(what, lost as f64, 0.0, "").measured(measured));
        if name == RECORD {
            let output = fs::read_to_string(dir.join("err"))?;
            let (events, bytes) =
                recorded(&output).with_context(|| format!("record did not report its size: {output}"))?;
            let measured = format!("{:.1} bytes ({bytes:.0} / {events:.0})", bytes / events);
            rows.push(Row::at_most("trace size per event", bytes / events, BYTES_TARGET, " bytes").measured(measured));
        }
    }
    Ok(rows)
}

/// From `recorded N events in M bytes`.
fn recorded(text: &str) -> Option<(f64, f64)> {
    let (_, rest) = text.split_once("recorded ")?;
    let mut numbers = rest.split_whitespace().filter_map(|word| word.parse::<f64>().ok());
    Some((numbers.next()?, numbers.next()?))
}
