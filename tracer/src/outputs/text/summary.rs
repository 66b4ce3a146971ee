//! The counts at the end of a text, and what they say.

use std::fmt::{self, Write as _};
use std::io::{self, Write as _};

use anstyle::Style;

use super::paragraphs::{PAGE, options};
use super::{Text, written};
use crate::causes;
use crate::model::{Strength, percent, plural};
use crate::outputs::policies::sentences;
use crate::summary::Summary;

/// Where the words behind a count and its share begin.
const COUNTS: usize = 35;

impl Text {
    pub(super) fn summary(&mut self, summary: &Summary) -> io::Result<()> {
        let attempts = summary.attempts;
        self.counts("attempts", attempts, 0, format_args!(""))?;
        self.counts("translated", summary.translated, attempts, format_args!(""))?;
        self.counts("retransmitted", summary.retransmitted_attempts, attempts, format_args!(""))?;
        let retransmits = plural(summary.flagged_retransmits, "retransmit");
        self.counts("flagged", summary.flagged_attempts, attempts, format_args!("  with {retransmits}"))?;
        for (index, (&strength, &count)) in summary.by_strength.iter().enumerate() {
            let name = if index == 0 { "evidence" } else { "" };
            self.counts(name, count, summary.flagged_attempts, format_args!("  {}", strength_words(strength)))?;
        }
        let by_cause = summary.by_cause.iter().map(|(&cause, counts)| (cause, counts.attempts));
        self.causes("by cause", by_cause, summary.retransmitted_attempts)?;
        let failed_by_cause = summary.failed_by_cause.iter().map(|(&cause, &count)| (cause, count));
        self.causes("first SYN failed", failed_by_cause, attempts)?;
        let gave_up = summary.infer.gave_up();
        if gave_up > 0 {
            self.counts("gave up early", gave_up, attempts, format_args!("  before an answer was due: not judged"))?;
        }
        self.losses(summary)?;
        if summary.skipped() > 0 {
            let what = "program runs, by the kernel's recursion guard; events may be missing";
            self.counts("skipped", summary.skipped(), 0, format_args!("  {what}"))?;
        }
        if let Some(words) = summary.unseen_words() {
            self.counts("not seen leaving", summary.unseen, 0, format_args!("  {words}"))?;
        }
        self.counts("evicted", summary.evicted, 0, format_args!(""))?;
        let conclusions = summary.conclusions();
        for sentence in sentences(&summary.policies, &conclusions) {
            self.paragraph(&sentence)?;
        }
        for conclusion in conclusions.iter().filter(|conclusion| conclusion.says_something()) {
            self.paragraph(&conclusion.to_string())?;
        }
        let is_there = |id: &str| summary.by_cause.contains_key(id) || summary.failed_by_cause.contains_key(id);
        for cause in causes::ALL.iter().filter(|cause| is_there(cause.id)) {
            self.paragraph(&cause.note())?;
        }
        Ok(())
    }

    fn counts(&mut self, name: &str, count: u64, of: u64, words: fmt::Arguments<'_>) -> io::Result<()> {
        written(self.count(name, count, of))?;
        written(self.line.write_fmt(words))?;
        self.end_counts()
    }

    /// A line of counts, whose words begin at that column where they do not fit the page.
    fn end_counts(&mut self) -> io::Result<()> {
        if self.line.len() <= self.page || self.page == PAGE {
            return self.end_line();
        }
        let line = String::from_utf8_lossy(self.line.end()).into_owned();
        self.line.clear();
        let indent = " ".repeat(COUNTS.min(self.page / 3));
        let line = textwrap::fill(line.trim_end(), options(self.page).subsequent_indent(&indent));
        writeln!(self.out, "{line}")
    }

    fn count(&mut self, name: &str, count: u64, of: u64) -> fmt::Result {
        write!(self.line, "{name:<16}{count:>8}")?;
        percent(count, of).map_or(Ok(()), |percent| write!(self.line, "{percent:>7.1} %"))
    }

    /// A line for each cause, the first with a name.
    fn causes(&mut self, name: &str, counts: impl Iterator<Item = (&'static str, u64)>, of: u64) -> io::Result<()> {
        for (index, (cause, count)) in counts.enumerate() {
            let name = if index == 0 { name } else { "" };
            self.counts(name, count, of, format_args!("  {}", cause.replace('_', " ")))?;
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

/// A strength in words, with its mark.
const fn strength_words(strength: Strength) -> &'static str {
    match strength {
        Strength::Proven => "+ proven: a filter drops return traffic to these ports",
        Strength::Supported => "~ supported: allowed ports are answered, these are not; this is no proof yet",
        Strength::NoneYet => "? none yet: too few attempts to compare with, or something else may explain the failures",
        Strength::Contradicted => "! contradicted: such ports are answered, or allowed ports go unanswered too",
    }
}
