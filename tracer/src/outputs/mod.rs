//! What a capture is written as, one format a file.
//!
//! Everything written follows from captures, findings, summary and [`View`] alone, never from the time or the machine, so
//! that a replay writes the same bytes. To add one: a file here, a line in `ALL`.

pub mod bounded;
pub mod escape;
pub mod inference;
pub mod probe;
mod json;
pub(crate) mod json_line;
pub(crate) mod policies;
pub(crate) mod text;

use std::io::{self, BufWriter, Write};

pub use json::FORMAT as JSON;

use crate::evidence::PortEvidence;
use crate::infer::Infer;
use crate::join::TickState;
use schemars::{Schema, SchemaGenerator};

use crate::model::{Capture, EndedAttempt, Filter, Finding, Judgement};
use crate::summary::Summary;
use crate::tally::Progress;

/// A format that findings are written in.
pub trait Output {
    /// Once, before the first finding; `captures` has one entry for each node that is read, with the policy in force.
    fn start(&mut self, captures: &[&Capture]) -> io::Result<()>;

    /// Whether it writes the diagnosis of this finding: to explain one costs more than to find it.
    fn explains(&self, finding: &Finding<'_>) -> bool;

    /// A SYN retransmit that the user asked to see, or an attempt that is over: with `--all`, one whose SYN was retransmitted, or that
    /// failed for a known cause; with `--ends`, one of which a line was shown.
    fn finding(&mut self, finding: &Finding<'_>) -> io::Result<()>;

    /// Time has passed on a node: once a second at least in a live capture, and wherever a trace says so.
    fn tick(&mut self, _: &Moment<'_>) -> io::Result<()> {
        Ok(())
    }

    /// Lines were left out, by `--max-lines`.
    fn left_out(&mut self, _: &Capture, _time_ns: u64, _: &bounded::LeftOutLines) -> io::Result<()> {
        Ok(())
    }

    /// An interval has passed, of `--interval`.
    fn interval(&mut self, _: &bounded::Interval<'_>) -> io::Result<()> {
        Ok(())
    }

    /// Makes everything so far visible; called when there is nothing more to write for the moment.
    fn flush(&mut self) -> io::Result<()>;

    /// Once, at the end.
    fn finish(&mut self, summary: &Summary) -> io::Result<()>;
}

/// Something that looks at every attempt, whether or not there is a finding about it.
pub trait Observer {
    /// A SYN retransmit that the user asked to see.
    fn retransmit(&mut self, _: &Finding<'_>) -> io::Result<()> {
        Ok(())
    }

    /// An attempt that has ended.
    fn ended(&mut self, ended: &EndedAttempt<'_>) -> io::Result<()>;

    /// A SYN retransmit, shown or not, and what was concluded about the attempt before it.
    fn judged(&mut self, _: &Finding<'_>, _before: &Judgement) {}

    /// Time has passed on a node.
    fn tick(&mut self, _: &Moment<'_>) {}
}

/// What is known of a node at a tick.
#[derive(Clone, Copy, Debug)]
pub struct Moment<'a> {
    /// Where it was captured.
    pub capture: &'a Capture,
    /// When, and how full the join's table is.
    pub tick: TickState,
    /// The counts of this node.
    pub progress: &'a Progress,
    /// What its attempts say about ports; of all nodes together, as in the summary.
    pub infer: &'a Infer,
    /// What they say about the policy.
    pub evidence: &'a PortEvidence,
    /// `wire` is on, and watches no interface: what leaves this node is not seen.
    pub is_blind: bool,
}

/// Where an output writes to.
type Sink = BufWriter<Box<dyn Write>>;

/// An entry of [`ALL`].
#[derive(Debug)]
pub struct Format {
    /// The word after `-o`.
    pub name: &'static str,
    /// What it is, for `--help`.
    pub about: &'static str,
    /// For people: it has a header in plain words, and live it is bounded by default.
    is_text: bool,
    open: fn(&View, Sink) -> Box<dyn Output>,
}

/// Every format; the first is the default.
pub const ALL: &[Format] = &[text::FORMAT, JSON, text::WIDE];

/// The JSON Schemas of all kinds of line that are written here.
pub fn schemas(generator: &mut SchemaGenerator) -> [Schema; 9] {
    [
        generator.subschema_for::<json::CaptureLine<'_>>(),
        generator.subschema_for::<json::RetransmitLine<'_>>(),
        generator.subschema_for::<json::SummaryLine<'_>>(),
        generator.subschema_for::<json::LeftOutLine<'_>>(),
        generator.subschema_for::<json::IntervalLine<'_>>(),
        generator.subschema_for::<inference::InferenceLine<'_>>(),
        generator.subschema_for::<inference::CountsLine<'_>>(),
        generator.subschema_for::<policies::PolicyLine<'_>>(),
        generator.subschema_for::<probe::ProbeLine>(),
    ]
}

/// How the user wants to see findings.
#[derive(Clone, Debug)]
pub struct View {
    pub format: &'static Format,
    /// Every SYN retransmit, not only those of flagged attempts.
    pub all: bool,
    /// No lines about attempts.
    pub quiet: bool,
    /// Of each attempt the first retransmit only, and those with another cause.
    pub fold: bool,
    /// A line when an attempt ends of which a line was shown.
    pub ends: bool,
    pub bounds: bounded::Bounds,
    /// Times in UTC.
    pub utc: bool,
    pub colour: bool,
    pub layout: text::Layout,
    /// Only these attempts, in lines and in counts.
    pub filter: Filter,
}

impl View {
    /// Whether the finding is one that the user asked to see.
    pub fn shows(&self, finding: &Finding<'_>) -> bool {
        let is_folded = self.fold && finding.ordinal > 1 && !finding.is_news && !finding.is_over;
        !is_folded && (self.all || finding.judgement.flagged) && self.filter.matches(finding.attempt, finding.owner)
    }

    /// Whether it is for people.
    pub fn is_text(&self) -> bool {
        self.format.is_text
    }

    /// Whether a header in plain words is written.
    pub fn has_text_header(&self) -> bool {
        self.is_text() && self.layout.has_header
    }

    /// The view of a capture that is recorded or counted without being shown.
    pub fn silent(filter: Filter) -> Self {
        let (all, quiet, fold, ends, utc, colour) = (false, false, false, false, false, false);
        let (bounds, layout) = (bounded::Bounds::default(), text::Layout::default());
        Self { format: &ALL[0], all, quiet, fold, ends, bounds, utc, colour, layout, filter }
    }
}

/// Opens the output that the user asked for. `out` need not be buffered.
pub fn open(view: &View, out: Box<dyn Write>) -> Box<dyn Output> {
    let output = (view.format.open)(view, BufWriter::with_capacity(64 * 1024, out));
    bounded::bounded(output, view.bounds)
}

#[cfg(test)]
pub(crate) mod testing;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_has_a_name_of_its_own_and_an_explanation() {
        for (index, entry) in ALL.iter().enumerate() {
            assert!(!entry.about.is_empty(), "{}", entry.name);
            assert_eq!(ALL.iter().position(|other| other.name == entry.name), Some(index));
        }
    }
}
