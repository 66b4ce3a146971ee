//! What events are read from.

use std::path::PathBuf;

use tracer_common::Event;

use super::{Error, ReadReport};
use crate::model::Capture;

/// Events of one node: the parts of a trace one after the other, or packet captures.
pub trait Recording: Send {
    fn capture(&self) -> &Capture;

    /// How many bytes were used so far.
    fn position(&self) -> u64;

    /// Parts missing between those that are there.
    fn missing_parts(&self) -> u64 {
        0
    }

    /// Closes its files until it is read again, where they can be opened again.
    fn park(&mut self) {}

    /// Appends at most `max` events to `batch`, at least one, each with `label`; `false` at the end. `done` gets the report of
    /// each file that was read to its end; damage is in there, and is no error.
    fn read(
        &mut self,
        max: usize,
        label: u32,
        batch: &mut Vec<(u32, Event)>,
        done: &mut Vec<(PathBuf, ReadReport)>,
    ) -> Result<bool, Error>;
}
