//! The loop: source -> join -> causes -> outputs. The first file to read.

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::model::{CaptureOptions, PolicyChange, RecordOptions};
use crate::outputs::View;
use crate::summary::Summary;

/// Shows findings live, on standard output.
///
/// # Errors
/// When hooks cannot be attached or standard output cannot be written.
pub fn tail(_options: &CaptureOptions, _view: &View) -> Result<Summary> {
    bail!("live capture: not joined up yet")
}

/// Records a trace, and shows findings where a view is given.
///
/// # Errors
/// When hooks cannot be attached or the trace cannot be written.
pub fn record(_options: &CaptureOptions, _record: &RecordOptions, _print: Option<&View>) -> Result<Summary> {
    bail!("live capture: not joined up yet")
}

/// Shows recorded traces.
///
/// # Errors
/// When a trace cannot be read.
pub fn replay(_files: &[PathBuf], _change: &PolicyChange, _view: &View) -> Result<Summary> {
    bail!("replay: not joined up yet")
}
