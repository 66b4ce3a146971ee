//! The loop: source -> join -> causes -> outputs. The first file to read.
//!
//! `tail`, `record` and `replay` all run it; they differ in the source and in whether there is a recorder.

use std::io;

use tracer_common::Event;

use crate::causes;
use crate::join::{Join, Update};
use crate::model::{Attempt, Capture, Filter, Finding, Policy};
use crate::outputs::Output;
use crate::source::Source;
use crate::store::Writer;
use crate::summary::Summary;

/// Which findings the user wants to see.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Also those that are not flagged.
    pub all: bool,
    /// Only of these attempts.
    pub filter: Filter,
    /// Only so many.
    pub count: Option<u64>,
}

/// Events in, findings out. Takes its time from events alone.
pub struct Pipeline {
    nodes: Vec<Node>,
    judge: Judge,
}

/// One node that events come from.
struct Node {
    capture: Capture,
    policy: Policy,
    join: Join,
}

/// What is made of the updates of all nodes.
struct Judge {
    selection: Selection,
    output: Box<dyn Output>,
    summary: Summary,
    shown: u64,
    result: io::Result<()>,
}

/// Reads the source to its end, or until as many findings were shown as were asked for.
///
/// # Errors
/// When the source cannot be read, or the trace or the output cannot be written.
pub async fn run(
    mut source: impl Source,
    recorder: &mut Option<Writer>,
    mut pipeline: Pipeline,
) -> anyhow::Result<Summary> {
    pipeline.start()?;
    let mut batch = Vec::new();
    'reading: while source.next(&mut batch).await? {
        for (node, event) in batch.drain(..) {
            if let Some(recorder) = recorder {
                recorder.write(&event)?;
            }
            pipeline.event(node, &event)?;
            if pipeline.is_done() {
                break 'reading;
            }
        }
        pipeline.flush()?;
    }
    // Detach first: what is left to do may wait for a slow reader.
    drop(source);
    pipeline.finish()
}

impl Pipeline {
    /// A pipeline for events of these nodes, each with the policy that its attempts are judged by.
    #[must_use]
    pub fn new(nodes: Vec<(Capture, Policy)>, selection: Selection, output: Box<dyn Output>) -> Self {
        let nodes = nodes.into_iter().map(|(capture, policy)| Node { capture, policy, join: Join::default() }).collect();
        let judge = Judge { selection, output, summary: Summary::default(), shown: 0, result: Ok(()) };
        Self { nodes, judge }
    }

    fn start(&mut self) -> io::Result<()> {
        let captures: Vec<_> = self.nodes.iter().map(|node| &node.capture).collect();
        self.judge.output.start(&captures)?;
        self.judge.output.flush()
    }

    fn event(&mut self, node: u32, event: &Event) -> io::Result<()> {
        if let Event::Lost(lost) = event {
            self.judge.summary.lost(lost);
        }
        if let Some(Node { capture, policy, join }) = self.nodes.get_mut(node as usize) {
            join.event(event, &mut |update| self.judge.update(capture, policy, update));
        }
        std::mem::replace(&mut self.judge.result, Ok(()))
    }

    fn is_done(&self) -> bool {
        self.judge.is_done()
    }

    fn flush(&mut self) -> io::Result<()> {
        self.judge.output.flush()
    }

    fn finish(mut self) -> anyhow::Result<Summary> {
        for Node { capture, policy, join } in &mut self.nodes {
            join.finish(&mut |update| self.judge.update(capture, policy, update));
            self.judge.summary.evicted += join.evicted();
        }
        self.judge.result?;
        self.judge.output.finish(&self.judge.summary)?;
        Ok(self.judge.summary)
    }
}

impl Judge {
    fn is_done(&self) -> bool {
        self.selection.count.is_some_and(|count| self.shown >= count)
    }

    fn update(&mut self, capture: &Capture, policy: &Policy, update: Update<'_>) {
        let (Update::Retransmit { attempt, .. } | Update::Ended { attempt }) = &update;
        if !self.selection.filter.matches(attempt) || self.result.is_err() {
            return;
        }
        match update {
            Update::Retransmit { time_ns, ordinal, attempt } => {
                self.result = self.retransmit(capture, policy, time_ns, ordinal, attempt);
            }
            Update::Ended { attempt } => self.summary.ended(attempt),
        }
    }

    fn retransmit(
        &mut self,
        capture: &Capture,
        policy: &Policy,
        time_ns: u64,
        ordinal: u32,
        attempt: &mut Attempt,
    ) -> io::Result<()> {
        let allowed = policy.allowed_for(attempt);
        let flagged = causes::is_flagged(attempt, allowed);
        let cause = causes::judge(attempt, allowed).map(|cause| cause.id);
        attempt.flagged |= flagged;
        attempt.cause = cause;
        self.summary.flagged_retransmits += u64::from(flagged);
        if self.is_done() || !(flagged || self.selection.all) {
            return Ok(());
        }
        self.shown += 1;
        self.output.finding(&Finding { capture, time_ns, ordinal, attempt, allowed, flagged, cause })
    }
}
