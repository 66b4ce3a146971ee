//! The loop: source -> join -> owners -> causes -> outputs. The first file to read.
//!
//! `tail`, `record` and `replay` all do this; they differ in the source and in whether there is a recorder. What is found
//! out (`joins`) depends on nothing that is thought of it (`judge`), so traces are joined ahead, in a thread of its own.

mod joins;
mod judge;
mod judgements;
#[cfg(test)]
mod tests;
mod undecided;

use tracer_common::Event;

use self::joins::Joins;
use self::judge::Judge;
use crate::model::Capture;
use crate::outputs::{Output, View};
use crate::source::{Ahead, Source};
use crate::store::Writer;
use crate::summary::Summary;

pub use self::joins::Aside;

/// Events in, findings out. Takes its time from events alone.
pub struct Pipeline<'a> {
    joins: Joins,
    judge: Judge<'a>,
}

/// Reads the source to its end, or until as many findings were shown as were asked for.
///
/// # Errors
/// When the source cannot be read, or the trace or the output cannot be written.
pub async fn run(
    mut source: impl Source<Item = (u32, Event)>,
    recorder: &mut Option<Writer>,
    Pipeline { mut joins, mut judge }: Pipeline<'_>,
) -> anyhow::Result<Summary> {
    judge.start()?;
    let mut batch = Vec::new();
    'reading: while source.next(&mut batch).await? {
        for (index, (node, event)) in batch.iter().enumerate() {
            joins.prepare(&batch, index);
            if let Some(recorder) = recorder {
                recorder.write(event)?;
            }
            joins.event(*node, event, &mut |node, step| judge.step(node, &step));
            judge.result()?;
            if judge.is_done() {
                break 'reading;
            }
        }
        judge.flush()?;
    }
    // Detach first: what is left to do may wait for a slow reader.
    drop(source);
    joins.finish(&mut |node, step| judge.step(node, &step));
    judge.finish()
}

/// The same of traces, joined ahead by a thread of its own. To stop at a finding is for [`run`]: this one would have read on.
///
/// # Errors
/// When a trace cannot be read, or the output cannot be written.
pub async fn run_ahead<S: Source<Item = (u32, Aside)>>(
    traces: Ahead<(u32, Event)>,
    watched: impl FnOnce(Ahead<(u32, Aside)>) -> S,
    Pipeline { joins, mut judge }: Pipeline<'_>,
) -> anyhow::Result<Summary> {
    judge.start()?;
    let mut source = watched(traces.then("join", joins)?);
    let mut batch = Vec::new();
    while source.next(&mut batch).await? {
        for (node, aside) in &mut batch {
            judge.aside(*node, aside);
        }
        judge.result()?;
        judge.flush()?;
    }
    drop(source);
    judge.finish()
}

impl<'a> Pipeline<'a> {
    /// A pipeline for events of these nodes, whose attempts are judged by the policy of their capture.
    #[must_use]
    pub fn new(captures: Vec<Capture>, view: View, count: Option<u64>, output: Box<dyn Output + 'a>) -> Self {
        Self { joins: Joins::of(captures.len()), judge: Judge::new(captures, view, count, output) }
    }
}
