//! Text for people: a header, one line per finding, as wide as the terminal or 120 columns, and the counts at the end.

pub mod columns;
mod line;
pub(crate) mod paragraphs;
mod row;
mod summary;

use std::fmt::{self, Write as _};
use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

use self::columns::{Cell, TextColumn};
use self::line::TextLine;
pub(super) use self::paragraphs::paragraph;
use self::paragraphs::{PAGE, indented, page_of, paragraph_of};
use self::row::{Conclusion, RowFormat, cause, end, mark};
use super::bounded::{Interval, LeftOutLines};
use super::escape::Escaped;
use super::{Format, Output, Sink, View};
use crate::model::{Capture, Clock, Diagnosis, Finding, Origin, Outcome, Policy, plural};
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
    pub columns: Vec<TextColumn>,
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
                layout.columns = columns::wide().collect();
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
            utc: view.utc,
            all: view.all,
            ends: view.ends,
            row,
            page: page_of(layout.width),
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
            width => columns::fitted(columns::default(self.several_nodes, self.names), width.unwrap_or(PAGE), true),
        }
    }

    /// A paragraph as wide as the page.
    fn paragraph(&mut self, text: &str) -> io::Result<()> {
        self.out.write_all(paragraph_of(self.page, text).as_bytes())
    }

    fn end_line(&mut self) -> io::Result<()> {
        self.out.write_all(self.line.end())?;
        self.line.clear();
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

    /// A line whose last column `conclusion` writes, below what has to be said before it.
    fn line(&mut self, finding: &Finding<'_>, conclusion: Conclusion) -> io::Result<()> {
        self.titles(finding.owner.is_some())?;
        self.heading_of_day(finding)?;
        written(self.row.line(&mut self.line, finding, conclusion))?;
        self.end_line()
    }

    /// One line, and below it the explanation of a cause that is new.
    fn row(&mut self, finding: &Finding<'_>) -> io::Result<()> {
        if mark(finding).is_some() && self.layout.has_header && !std::mem::replace(&mut self.has_legend, true) {
            self.paragraph(LEGEND)?;
        }
        self.line(finding, cause)?;
        let Some(diagnosis) = finding.diagnosis.filter(|_| self.explains(finding)) else { return Ok(()) };
        let Diagnosis { explanation, evidence, .. } = diagnosis;
        self.out.write_all(indented(self.page, &Escaped(explanation).to_string()).as_bytes())?;
        let evidence = format!("evidence: {}", Escaped(&evidence.join("; ")));
        self.out.write_all(indented(self.page, &evidence).as_bytes())
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
}

impl Output for Text {
    fn explains(&self, finding: &Finding<'_>) -> bool {
        self.all && finding.is_news
    }

    fn start(&mut self, captures: &[&Capture]) -> io::Result<()> {
        self.row.clock = Clock::new(captures, self.utc);
        self.several_nodes = captures.len() > 1;
        if !self.layout.has_header {
            return Ok(());
        }
        for capture in captures {
            self.paragraph(&header(capture))?;
            for hook in &capture.hooks {
                if let Some(why) = &hook.off {
                    self.paragraph(&format!("without {}: {}", Escaped(&hook.stem), Escaped(why)))?;
                }
            }
        }
        self.layout.left_out.take().map_or(Ok(()), |left_out| self.paragraph(&left_out))
    }

    fn finding(&mut self, finding: &Finding<'_>) -> io::Result<()> {
        if finding.is_news || !finding.is_over {
            self.row(finding)?;
        }
        let attempt = finding.attempt;
        if finding.is_over && self.ends && attempt.retransmits > 0 && attempt.outcome != Outcome::Pending {
            self.line(finding, end)?;
        }
        Ok(())
    }

    fn left_out(&mut self, capture: &Capture, time_ns: u64, left_out: &LeftOutLines) -> io::Result<()> {
        let (_, time) = self.row.clock.day_and_time(capture, time_ns);
        let LeftOutLines { lines, by_cause } = left_out;
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
        self.titles(false)?;
        self.end_line()?;
        self.summary(summary)?;
        self.out.flush()
    }
}

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
