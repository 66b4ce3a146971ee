//! Text for people: a header, one line per finding, as wide as the terminal or 120 columns, and the counts at the end.

pub mod columns;
mod line;
pub(crate) mod paragraphs;
mod row;

use std::fmt::{self, Write as _};
use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

use self::columns::{Cell, Column};
use self::line::TextLine;
pub(super) use self::paragraphs::paragraph;
use self::paragraphs::{PAGE, indented, options, paragraph_of};
use self::row::{RowFormat, mark, words};
use super::bounded::{Interval, LeftOut};
use super::escape::Escaped;
use super::policies::sentences;
use super::{Format, Output, Sink, View};
use crate::causes;
use crate::infer::Conclusion;
use crate::model::{Capture, Clock, Diagnosis, Finding, Origin, Outcome, Policy, Strength, plural};
use crate::summary::Summary;

pub(super) const FORMAT: Format = Format {
    name: "text",
    about: "aligned columns",
    is_text: true,
    open: |view, out| Box::new(Text::new(view, out, false)),
};
pub(super) const WIDE: Format = Format {
    name: "wide",
    about: "more columns, with names and addresses in full",
    is_text: true,
    open: |view, out| Box::new(Text::new(view, out, true)),
};

/// How wide a page of text is, and what is on it.
#[derive(Clone, Debug)]
pub struct Layout {
    /// Of the terminal; `None` where there is none.
    pub width: Option<usize>,
    /// `--columns`; by default what is known and fits.
    pub columns: Vec<Column>,
    /// Header, titles, headings.
    pub has_header: bool,
    /// What is left out without having been asked for, for the header.
    pub left_out: Option<String>,
}

impl Default for Layout {
    fn default() -> Self {
        Self { width: None, columns: Vec::new(), has_header: true, left_out: None }
    }
}

struct Text {
    out: Sink,
    line: TextLine,
    /// Paragraphs
    text: String,
    utc: bool,
    /// With the reason of each cause.
    all: bool,
    /// With how attempts ended.
    ends: bool,
    row: RowFormat,
    layout: Layout,
    /// Columns of paragraphs.
    page: usize,
    several_nodes: bool,
    /// A pod or container is known.
    names: bool,
    has_titles: bool,
    /// What marks mean was said.
    has_legend: bool,
    /// The one that the lines are of, by its number.
    day: Option<i64>,
}

impl Text {
    fn new(view: &View, out: Sink, is_wide: bool) -> Self {
        let style = |style| if view.colour { style } else { Style::new() };
        let mut layout = view.layout.clone();
        if is_wide {
            layout.width = None;
            if layout.columns.is_empty() {
                layout.columns = columns::WIDE.to_vec();
            }
        }
        let row = RowFormat {
            clock: Clock::new(&[], view.utc),
            cells: Vec::new(),
            cuts: layout.columns.is_empty() || layout.width.is_some(),
            alert: style(AnsiColor::Red.on_default().bold()),
            heading: style(Style::new().bold()),
        };
        Self {
            out,
            line: TextLine::default(),
            text: String::new(),
            utc: view.utc,
            all: view.all,
            ends: view.ends,
            row,
            page: layout.width.unwrap_or(PAGE).min(PAGE),
            layout,
            several_nodes: false,
            names: false,
            has_titles: false,
            has_legend: false,
            day: None,
        }
    }

    /// What lines have from now on.
    fn cells(&self) -> Vec<Cell> {
        let asked = &self.layout.columns;
        match self.layout.width {
            None if !asked.is_empty() => columns::unlimited(asked),
            Some(width) if !asked.is_empty() => columns::fitted(asked, width, false),
            width => {
                let default = columns::default(self.several_nodes, self.names);
                columns::fitted(default, width.unwrap_or(PAGE), true)
            }
        }
    }

    /// A paragraph as wide as the page.
    fn paragraph(&mut self, text: &str) -> io::Result<()> {
        paragraph_of(self.page, &mut self.text, text);
        self.end_text()
    }

    /// A line of counts, whose words begin at that column where they do not fit the page.
    fn end_counts(&mut self) -> io::Result<()> {
        if self.line.len() <= self.page || self.page == PAGE {
            return self.end_line();
        }
        let line = String::from_utf8_lossy(self.line.end()).into_owned();
        self.line.clear();
        let indent = " ".repeat(COUNTS.min(self.page / 3));
        self.text.push_str(&textwrap::fill(line.trim_end(), options(self.page).subsequent_indent(&indent)));
        self.text.push('\n');
        self.end_text()
    }

    fn end_line(&mut self) -> io::Result<()> {
        self.out.write_all(self.line.end())?;
        self.line.clear();
        Ok(())
    }

    fn end_text(&mut self) -> io::Result<()> {
        self.out.write_all(self.text.as_bytes())?;
        self.text.clear();
        Ok(())
    }

    /// Before the first line, and again once names are known, which need a column of their own from then on.
    fn titles(&mut self, names: bool) -> io::Result<()> {
        if self.has_titles && (self.names || !names) {
            return Ok(());
        }
        let had_titles = std::mem::replace(&mut self.has_titles, true);
        self.names = names;
        self.row.cells = self.cells();
        if !self.layout.has_header || had_titles && !self.layout.columns.is_empty() {
            return Ok(());
        }
        written(self.row.titles(&mut self.line))?;
        self.end_line()
    }

    /// Before the first line with a mark: what marks mean.
    fn legend(&mut self, finding: &Finding<'_>) -> io::Result<()> {
        if mark(finding).is_none() || self.has_legend || !self.layout.has_header {
            return Ok(());
        }
        self.has_legend = true;
        self.paragraph(LEGEND)
    }

    /// One line, and below it the explanation of a cause that is new.
    fn row(&mut self, finding: &Finding<'_>) -> io::Result<()> {
        self.legend(finding)?;
        self.titles(finding.owner.is_some())?;
        self.heading_of_day(finding)?;
        written(self.row.finding(&mut self.line, finding))?;
        self.end_line()?;
        let Some(diagnosis) = finding.diagnosis.filter(|_| self.explains(finding)) else { return Ok(()) };
        let Diagnosis { explanation, evidence, .. } = diagnosis;
        indented(self.page, &mut self.text, &Escaped(explanation).to_string());
        indented(self.page, &mut self.text, &format!("evidence: {}", Escaped(&evidence.join("; "))));
        self.end_text()
    }

    /// A heading wherever another day begins, for lines have the time of day only.
    fn heading_of_day(&mut self, finding: &Finding<'_>) -> io::Result<()> {
        let (day, _) = self.row.clock.day_and_time(finding.capture, finding.time_ns);
        if self.day == Some(day) || !self.layout.has_header {
            return Ok(());
        }
        if let Some(wall) = self.row.clock.wall(finding.capture, finding.time_ns) {
            self.day = Some(day);
            let (heading, date) = (self.row.heading, wall.date());
            written(write!(self.line, "{heading}{}{heading:#}", self.row.clock.day(date)))?;
            self.end_line()?;
        }
        Ok(())
    }

    fn count(&mut self, name: &str, count: u64, of: u64) -> fmt::Result {
        write!(self.line, "{name:<16}{count:>8}")?;
        if of > 0 {
            #[expect(clippy::cast_precision_loss, reason = "a share with one decimal")]
            let percent = count as f64 * 100.0 / of as f64;
            write!(self.line, "{percent:>7.1} %")?;
        }
        Ok(())
    }

    /// A line for each cause, the first with a name.
    fn causes(&mut self, name: &str, counts: impl Iterator<Item = (&'static str, u64)>, of: u64) -> io::Result<()> {
        for (index, (cause, count)) in counts.enumerate() {
            written(self.count(if index == 0 { name } else { "" }, count, of))?;
            self.line.spaces(2);
            written(words(&mut self.line, cause))?;
            self.end_counts()?;
        }
        Ok(())
    }

    /// Flagged attempts by how strong the evidence for a filter is, and what it says about the policy.
    fn evidence(&mut self, summary: &Summary) -> io::Result<()> {
        for (index, (&strength, &count)) in summary.by_strength.iter().enumerate() {
            written(self.count(if index == 0 { "evidence" } else { "" }, count, summary.flagged_attempts))?;
            written(write!(self.line, "  {}", strength_words(strength)))?;
            self.end_counts()?;
        }
        Ok(())
    }

    /// What the evidence says about the policy.
    fn policies(&mut self, summary: &Summary, conclusions: &[Conclusion]) -> io::Result<()> {
        for sentence in sentences(&summary.policies, conclusions) {
            self.paragraph(&sentence)?;
        }
        Ok(())
    }

    /// What the attempts say about ports, where they say anything.
    fn inference(&mut self, conclusions: &[Conclusion]) -> io::Result<()> {
        for conclusion in conclusions.iter().filter(|conclusion| conclusion.says_something()) {
            self.paragraph(&conclusion.to_string())?;
        }
        Ok(())
    }

    /// What to do about each cause.
    fn advice(&mut self, summary: &Summary) -> io::Result<()> {
        let is_there = |id: &str| summary.by_cause.contains_key(id) || summary.failed_by_cause.contains_key(id);
        for cause in causes::ALL.iter().filter(|cause| is_there(cause.id)) {
            self.paragraph(&cause.note())?;
        }
        Ok(())
    }

    fn losses(&mut self, summary: &Summary) -> io::Result<()> {
        let lost = summary.lost_total();
        let style = if lost > 0 { self.row.alert } else { Style::new() };
        written(write!(self.line, "{style}"))?;
        written(self.count(if lost > 0 { "LOST" } else { "lost" }, lost, 0))?;
        if lost > 0 {
            written(self.line.write_str("  events, so attempts may be missing or incomplete:"))?;
            for (kind, count) in summary.lost_by_kind().filter(|&(_, count)| count > 0) {
                written(write!(self.line, " {} {count}", kind.name()))?;
            }
        }
        written(write!(self.line, "{style:#}"))?;
        self.end_counts()
    }
}

impl Output for Text {
    fn explains(&self, finding: &Finding<'_>) -> bool {
        self.all && finding.is_news
    }

    fn start(&mut self, captures: &[&Capture]) -> io::Result<()> {
        self.row.clock = Clock::new(captures, self.utc);
        self.several_nodes = captures.len() > 1;
        for capture in captures.iter().filter(|_| self.layout.has_header) {
            paragraph_of(self.page, &mut self.text, &header(capture));
            for hook in &capture.hooks {
                if let Some(why) = &hook.off {
                    let without = format!("without {}: {}", Escaped(&hook.stem), Escaped(why));
                    paragraph_of(self.page, &mut self.text, &without);
                }
            }
        }
        if let Some(left_out) = self.layout.left_out.as_ref().filter(|_| self.layout.has_header) {
            paragraph_of(self.page, &mut self.text, left_out);
        }
        self.end_text()
    }

    fn finding(&mut self, finding: &Finding<'_>) -> io::Result<()> {
        self.row(finding)
    }

    fn ended(&mut self, finding: &Finding<'_>) -> io::Result<()> {
        if finding.is_news {
            self.row(finding)?;
        }
        let attempt = finding.attempt;
        if self.ends && attempt.retransmits > 0 && attempt.outcome != Outcome::Pending {
            self.titles(finding.owner.is_some())?;
            self.heading_of_day(finding)?;
            written(self.row.end(&mut self.line, finding))?;
            self.end_line()?;
        }
        Ok(())
    }

    fn left_out(&mut self, capture: &Capture, time_ns: u64, left_out: &LeftOut) -> io::Result<()> {
        let (_, time) = self.row.clock.day_and_time(capture, time_ns);
        let LeftOut { lines, by_cause } = left_out;
        let (time, causes) = (of_day(time), counts_of(by_cause.iter().map(|(cause, count)| (*cause, *count))));
        writeln!(self.out, "{time} {} left out (--max-lines): {causes}", plural(*lines, "more line"))
    }

    fn interval(&mut self, interval: &Interval<'_>) -> io::Result<()> {
        let Interval { moment, seconds, counts } = interval;
        let (_, time) = self.row.clock.day_and_time(moment.capture, moment.tick.time_ns);
        let (time, node) = (of_day(time), Escaped(&moment.capture.node));
        let causes = counts_of(counts.causes().filter(|(_, count)| *count > 0));
        let colon = if causes.is_empty() { "" } else { ": " };
        let attempts = plural(counts.attempts, "attempt");
        let (retransmitted, flagged) = (counts.retransmitted, counts.flagged);
        let (open, lost) = (moment.tick.open, counts.lost_total());
        let blind = if moment.is_blind { ", NO INTERFACE WATCHED" } else { "" };
        let lost = if lost > 0 { format!(", {} LOST", plural(lost, "event")) } else { String::new() };
        writeln!(
            self.out,
            "{time} {node} last {seconds:.0} s: {attempts} ended, {open} open, {retransmitted} retransmitted, {flagged} flagged{lost}{blind}{colon}{causes}"
        )
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn finish(&mut self, summary: &Summary) -> io::Result<()> {
        let attempts = summary.attempts;
        self.titles(false)?;
        self.end_line()?;
        written(self.count("attempts", attempts, 0))?;
        self.end_line()?;
        written(self.count("translated", summary.translated, attempts))?;
        self.end_line()?;
        written(self.count("retransmitted", summary.retransmitted_attempts, attempts))?;
        self.end_line()?;
        written(self.count("flagged", summary.flagged_attempts, attempts))?;
        written(write!(self.line, "  with {}", plural(summary.flagged_retransmits, "retransmit")))?;
        self.end_counts()?;
        self.evidence(summary)?;
        let by_cause = summary.by_cause.iter().map(|(&cause, counts)| (cause, counts.attempts));
        self.causes("by cause", by_cause, summary.retransmitted_attempts)?;
        let failed_by_cause = summary.failed_by_cause.iter().map(|(&cause, &count)| (cause, count));
        self.causes("first SYN failed", failed_by_cause, attempts)?;
        self.losses(summary)?;
        if summary.skipped() > 0 {
            written(self.count("skipped", summary.skipped(), 0))?;
            let what = "  program runs, by the kernel's recursion guard; events may be missing";
            written(self.line.write_str(what))?;
            self.end_counts()?;
        }
        if let Some(words) = summary.unseen_words() {
            written(self.count("not seen leaving", summary.unseen, 0))?;
            written(write!(self.line, "  {words}"))?;
            self.end_counts()?;
        }
        written(self.count("evicted", summary.evicted, 0))?;
        self.end_line()?;
        let conclusions = summary.conclusions();
        self.policies(summary, &conclusions)?;
        self.inference(&conclusions)?;
        self.advice(summary)?;
        self.out.flush()
    }
}

/// Where the words behind a count and its share begin.
const COUNTS: usize = 35;

/// `05:44:57`
fn of_day(time: std::time::Duration) -> impl fmt::Display {
    let seconds = time.as_secs();
    fmt::from_fn(move |f| write!(f, "{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60))
}

/// `12 port out of range, 3 no answer`
fn counts_of(counts: impl Iterator<Item = (&'static str, u64)>) -> String {
    counts.map(|(cause, count)| format!("{count} {}", cause.replace('_', " "))).collect::<Vec<_>>().join(", ")
}

fn header(capture: &Capture) -> String {
    let (version, node, kernel) = (Escaped(&capture.version), Escaped(&capture.node), Escaped(&capture.kernel));
    format!("snatrace {version} on {node} ({kernel}): allowed translated ports {}", policy(&capture.policy))
}

/// What marks mean.
const LEGEND: &str =
    "mark after a cause: evidence that a filter drops such ports: + proven, ~ supported, ? none yet, ! contradicted";

/// A strength in words, with its mark.
const fn strength_words(strength: Strength) -> &'static str {
    match strength {
        Strength::Proven => "+ proven: a filter drops return traffic to these ports",
        Strength::Supported => "~ supported: allowed ports are answered, these are not; too few attempts to prove it",
        Strength::NoneYet => "? none yet: too few attempts to compare with",
        Strength::Contradicted => "! contradicted: such ports are answered, or allowed ports go unanswered too",
    }
}

/// The allowed ports and where they came from.
pub(crate) fn policy(policy: &Policy) -> String {
    let Policy { v4, v6, origin } = policy;
    let origin = match origin {
        Origin::Default => "default; set with --allow",
        Origin::Given => "--allow",
        Origin::Auto => "--allow auto: ip_local_port_range",
    };
    if v4 == v6 { format!("{v4} ({origin})") } else { format!("IPv4 {v4} ({origin}), IPv6 {v6} (--allow6)") }
}

/// Formatting into a line fails only where a `Display` does.
fn written(result: fmt::Result) -> io::Result<()> {
    result.map_err(io::Error::other)
}

#[cfg(test)]
mod tests;
