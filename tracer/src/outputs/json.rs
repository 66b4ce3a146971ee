//! JSON, one object per line: a capture line for each node, retransmit lines, a summary line. docs/json.md has the fields.
//!
//! Field names are a promise: add, never rename. What is unknown is null. The bytes are ASCII, so a name cannot steer a
//! terminal that shows them.

mod lines;

use std::collections::BTreeSet;
use std::io::{self, Write};

use self::lines::InferenceObject;
pub(super) use self::lines::{CaptureLine, IntervalLine, LeftOutLine, RetransmitLine, SummaryLine};

use super::bounded::{Interval, LeftOutLines};
use super::json_line::write_line;
use super::policies::PolicyJson;
use super::{Format, Output, Sink, View};
use crate::model::{Capture, Clock, Finding};
use crate::summary::Summary;

pub const FORMAT: Format = Format {
    name: "json",
    about: "one JSON object per line",
    is_text: false,
    open: |view, out| Box::new(Json::new(view, out)),
};

struct Json {
    out: Sink,
    /// Reused, so that a line costs no allocation.
    time: String,
    utc: bool,
    clock: Clock,
    /// Of the capture; `None` where there are several.
    node: Option<String>,
    /// Causes whose advice was written.
    advised: BTreeSet<&'static str>,
}

impl Json {
    fn new(view: &View, out: Sink) -> Self {
        let (time, clock) = (String::with_capacity(40), Clock::new(&[], view.utc));
        Self { out, time, utc: view.utc, clock, node: None, advised: BTreeSet::new() }
    }

    fn time(&self, capture: &Capture, time_ns: u64) -> Option<String> {
        self.clock.rfc3339_of_unix(Clock::unix_ns(capture, time_ns))
    }
}

impl Output for Json {
    fn explains(&self, _: &Finding<'_>) -> bool {
        true
    }

    fn start(&mut self, captures: &[&Capture]) -> io::Result<()> {
        self.clock = Clock::new(captures, self.utc);
        let first = captures.first().map(|capture| capture.node.as_str());
        let is_one = captures.iter().all(|capture| first == Some(&capture.node));
        self.node = first.filter(|_| is_one).map(str::to_owned);
        captures.iter().try_for_each(|capture| {
            let time = capture.began_unix_ns().and_then(|began| self.clock.rfc3339_of_unix(began));
            write_line(&mut self.out, &CaptureLine { time, ..CaptureLine::from(*capture) })
        })
    }

    fn finding(&mut self, finding: &Finding<'_>) -> io::Result<()> {
        self.time.clear();
        let known = self.clock.rfc3339(finding.capture, finding.time_ns, &mut self.time);
        let time = known.then_some(self.time.as_str());
        let line = RetransmitLine { time, ..RetransmitLine::from(finding) };
        // The same on every line of a cause: the first one has it.
        let is_new = line.cause.is_some_and(|cause| self.advised.insert(cause));
        write_line(&mut self.out, &RetransmitLine { advice: line.advice.filter(|_| is_new), ..line })
    }

    fn left_out(&mut self, capture: &Capture, time_ns: u64, left_out: &LeftOutLines) -> io::Result<()> {
        let LeftOutLines { lines, by_cause } = left_out;
        let time = self.time(capture, time_ns);
        write_line(&mut self.out, &LeftOutLine { kind: "left_out", time, node: &capture.node, lines: *lines, by_cause })
    }

    fn interval(&mut self, interval: &Interval<'_>) -> io::Result<()> {
        let Interval { moment, seconds, counts } = *interval;
        let strengths = counts.strengths().filter(|(_, count)| *count > 0);
        let line = IntervalLine {
            kind: "interval",
            time: self.time(moment.capture, moment.tick.time_ns),
            node: &moment.capture.node,
            seconds,
            attempts: counts.attempts,
            translated: counts.translated,
            retransmitted_attempts: counts.retransmitted,
            flagged_attempts: counts.flagged,
            retransmits: counts.retransmits(),
            flagged_retransmits: counts.flagged_retransmits(),
            retransmits_by_cause: counts.causes().filter(|(_, count)| *count > 0).collect(),
            flagged_retransmits_by_strength: strengths.map(|(strength, count)| (strength.name(), count)).collect(),
            lost: counts.lost_total(),
            open_attempts: moment.tick.open,
            is_blind: moment.is_blind,
        };
        write_line(&mut self.out, &line)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn finish(&mut self, summary: &Summary) -> io::Result<()> {
        let conclusions = summary.conclusions();
        let inference = InferenceObject::of(&conclusions);
        let policies = summary.policies.iter().map(|policy| PolicyJson::new(policy, &conclusions)).collect();
        let time = summary.end_unix_ns.and_then(|end| self.clock.rfc3339_of_unix(end));
        let node = self.node.as_deref();
        write_line(&mut self.out, &SummaryLine { time, node, inference, policies, ..SummaryLine::from(summary) })?;
        self.out.flush()
    }
}

#[cfg(test)]
mod tests;
