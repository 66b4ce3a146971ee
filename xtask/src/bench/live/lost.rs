//! A long storm at maximum rate: nothing may be lost. What the recording is long tells the size of an event.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::json;

use super::running::Running;
use super::storm::Storm;
use super::tools::{self, RECORD, TAIL};
use super::{Bench, Report};
use crate::bench::table::Row;

const BYTES_TARGET: f64 = 16.0;

pub fn measure(bench: &Bench, report: &mut Report) -> Result<()> {
    let length = if bench.plan.quick { Duration::from_secs(10) } else { Duration::from_secs(60) };
    for name in [TAIL, RECORD] {
        let mut storm = Storm::start(bench, None)?;
        let running = Running::start(bench, tools::find(name).map_err(anyhow::Error::msg)?)?;
        let dir = running.dir.clone();
        bench.progress(&format!("{name}: {} s of storm", length.as_secs()));
        let window = storm.window(length, Some(running.pid()))?;
        let ended = running.end()?;
        let what = format!("lost events, {} s of maximum storm, {name}", length.as_secs());
        let told =
            tools::told(&dir).map(|attempts| format!(", {attempts} told of since its start")).unwrap_or_default();
        let measured = ended.lost.map(|lost| format!("{lost} of {:.0} connections{told}", window.established));
        report.row(match (ended.lost, measured) {
            (Some(lost), Some(measured)) => Row::at_most(what, lost as f64, 0.0, "").measured(measured),
            (_, _) => Row::skipped(what, "0", format!("it said nothing and ended with {}", ended.status)),
        });
        report.raw(&format!("lost, {name}"), json!({ "lost": ended.lost, "window": window.json() }));
        if name == RECORD {
            size(&dir, report)?;
        }
    }
    Ok(())
}

/// From `recorded N events in M bytes`.
fn size(dir: &Path, report: &mut Report) -> Result<()> {
    let said = fs::read_to_string(dir.join("err"))?;
    let (events, bytes) = recorded(&said).with_context(|| format!("the recording does not say its size: {said}"))?;
    let measured = format!("{:.1} bytes ({bytes:.0} / {events:.0})", bytes / events);
    report.row(
        Row::at_most("trace size per event, real recording", bytes / events, BYTES_TARGET, " bytes").measured(measured),
    );
    report.raw("trace", json!({ "events": events, "bytes": bytes }));
    Ok(())
}

fn recorded(text: &str) -> Option<(f64, f64)> {
    let (_, rest) = text.split_once("recorded ")?;
    let mut numbers = rest.split_whitespace().filter_map(|word| word.parse::<f64>().ok());
    Some((numbers.next()?, numbers.next()?))
}

#[cfg(test)]
mod tests {
    use super::recorded;

    #[test]
    fn size_is_what_the_recording_says() {
        assert_eq!(recorded("snatrace: recorded 120 events in 960 bytes\n"), Some((120.0, 960.0)));
        assert_eq!(recorded("nothing"), None);
    }
}
