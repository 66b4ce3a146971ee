//! The loop: source -> join -> owners -> causes -> outputs. The first file to read.
//!
//! `tail`, `record` and `replay` all run it; they differ in the source and in whether there is a recorder.

use std::io;

use tracer_common::Event;

use crate::causes::{self, Case};
use crate::join::{FAR, Join, NEAR, Update};
use crate::model::{Attempt, Capture, Diagnosis, Finding, Owners};
use crate::outputs::{Output, View};
use crate::source::Source;
use crate::store::Writer;
use crate::summary::Summary;

/// Events in, findings out. Takes its time from events alone.
pub struct Pipeline<'a> {
    nodes: Vec<Node>,
    judge: Judge<'a>,
}

/// One node that events come from.
struct Node {
    /// With the policy in force.
    capture: Capture,
    join: Join,
    owners: Owners,
}

/// What is made of the updates of all nodes.
struct Judge<'a> {
    view: View,
    output: Box<dyn Output + 'a>,
    summary: Summary,
    shown: u64,
    /// How many findings to show at most.
    count: Option<u64>,
    result: io::Result<()>,
}

/// Reads the source to its end, or until as many findings were shown as were asked for.
///
/// # Errors
/// When the source cannot be read, or the trace or the output cannot be written.
pub async fn run(
    mut source: impl Source,
    recorder: &mut Option<Writer>,
    mut pipeline: Pipeline<'_>,
) -> anyhow::Result<Summary> {
    pipeline.start()?;
    let mut batch = Vec::new();
    'reading: while source.next(&mut batch).await? {
        for (index, (node, event)) in batch.iter().enumerate() {
            pipeline.prepare(batch.get(index + NEAR), batch.get(index + FAR));
            if let Some(recorder) = recorder {
                recorder.write(event)?;
            }
            pipeline.event(*node, event)?;
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

impl<'a> Pipeline<'a> {
    /// A pipeline for events of these nodes, whose attempts are judged by the policy of their capture.
    #[must_use]
    pub fn new(captures: Vec<Capture>, view: View, count: Option<u64>, output: Box<dyn Output + 'a>) -> Self {
        let node = |capture: Capture| Node { join: Join::default(), owners: Owners::of(&capture.owners), capture };
        let nodes = captures.into_iter().map(node).collect();
        let judge = Judge { view, output, summary: Summary::default(), shown: 0, count, result: Ok(()) };
        Self { nodes, judge }
    }

    fn start(&mut self) -> io::Result<()> {
        let captures: Vec<_> = self.nodes.iter().map(|node| &node.capture).collect();
        self.judge.output.start(&captures)?;
        self.judge.output.flush()
    }

    /// Has fetched what the events that come soon need.
    fn prepare(&self, near: Option<&(u32, Event)>, far: Option<&(u32, Event)>) {
        let join = |node: u32| self.nodes.get(node as usize).map(|node| &node.join);
        if let Some((node, event)) = near {
            join(*node).inspect(|join| join.warm(event));
        }
        if let Some((node, event)) = far {
            join(*node).inspect(|join| join.foresee(event));
        }
    }

    fn event(&mut self, node: u32, event: &Event) -> io::Result<()> {
        if let Event::Lost(lost) = event {
            self.judge.summary.lost(lost);
        }
        if let Some(Node { capture, join, owners }) = self.nodes.get_mut(node as usize) {
            if let Event::Owner(owner) = event {
                owners.event(owner);
            }
            join.event(event, &mut |update| self.judge.update(capture, owners, update));
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
        for Node { capture, join, owners } in &mut self.nodes {
            join.finish(&mut |update| self.judge.update(capture, owners, update));
            self.judge.summary.evicted += join.evicted();
        }
        self.judge.result?;
        self.judge.output.finish(&self.judge.summary)?;
        Ok(self.judge.summary)
    }
}

impl Judge<'_> {
    fn is_done(&self) -> bool {
        self.count.is_some_and(|count| self.shown >= count)
    }

    fn update(&mut self, capture: &Capture, owners: &Owners, mut update: Update<'_>) {
        let (Update::Retransmit { attempt, .. } | Update::Ended { attempt }) = &mut update;
        attempt.owner = attempt.socket_netns.and_then(|netns| owners.at(netns, attempt.first_ns)).cloned();
        let is_wanted = capture.filter.matches(attempt) && self.view.filter.matches(attempt);
        if !is_wanted || self.result.is_err() {
            return;
        }
        match update {
            Update::Retransmit { time_ns, ordinal, is_repeated, attempt } => {
                self.result = self.retransmit(capture, time_ns, ordinal, is_repeated, attempt);
            }
            Update::Ended { attempt } => self.result = self.ended(capture, attempt),
        }
    }

    fn retransmit(
        &mut self,
        capture: &Capture,
        time_ns: u64,
        ordinal: u32,
        is_repeated: bool,
        attempt: &mut Attempt,
    ) -> io::Result<()> {
        let case = Case::new(attempt, capture);
        let flagged = causes::is_flagged(&case);
        let cause = causes::judge(&case);
        let is_news = attempt.cause != Some(cause.id) && !causes::is_unknown(cause);
        // What is told again counts where it was not known to be flagged, or by whom it was, when it was told first.
        let is_counted = is_repeated && attempt.flagged;
        (attempt.flagged, attempt.cause) = (attempt.flagged || flagged, Some(cause.id));
        if flagged && !is_counted {
            self.summary.flagged_retransmit();
        }
        let finding = Finding { flagged, is_news, ..finding(capture, time_ns, ordinal, attempt) };
        if self.is_done() || !self.view.shows(&finding) {
            return Ok(());
        }
        self.shown += 1;
        if !self.output.shows_findings() {
            return Ok(());
        }
        let diagnosis = self.diagnosis(cause, &finding);
        self.output.finding(&Finding { diagnosis: diagnosis.as_ref(), ..finding })
    }

    fn diagnosis(&self, cause: &causes::Cause, finding: &Finding<'_>) -> Option<Diagnosis> {
        self.output.explains(finding).then(|| causes::diagnose(cause, &Case::new(finding.attempt, finding.capture)))
    }

    /// What came after the last retransmit may tell more of the cause.
    fn ended(&mut self, capture: &Capture, attempt: &mut Attempt) -> io::Result<()> {
        let case = Case::new(attempt, capture);
        let is_case = attempt.retransmits > 0 || causes::has_failed(&case);
        let cause = is_case.then(|| causes::judge(&case));
        let may_have_left = case.may_have_left();
        let before = std::mem::replace(&mut attempt.cause, cause.map(|cause| cause.id));
        self.summary.ended(attempt, may_have_left);
        self.output.over(capture, attempt)?;
        let Some(cause) = cause.filter(|_| self.view.all && !self.is_done()) else { return Ok(()) };
        let is_news = before != attempt.cause || causes::is_unknown(cause);
        self.shown += u64::from(is_news);
        let finding = finding(capture, attempt.last_ns, attempt.retransmits, attempt);
        let finding = Finding { is_news, is_over: true, ..finding };
        let diagnosis = self.diagnosis(cause, &finding);
        self.output.ended(&Finding { diagnosis: diagnosis.as_ref(), ..finding })
    }
}

fn finding<'a>(capture: &'a Capture, time_ns: u64, ordinal: u32, attempt: &'a Attempt) -> Finding<'a> {
    let (allowed, flagged) = (capture.policy.allowed_for(attempt), attempt.flagged);
    let (is_news, is_over, diagnosis) = (false, false, None);
    Finding { capture, time_ns, ordinal, attempt, allowed, flagged, cause: attempt.cause, is_news, is_over, diagnosis }
}
