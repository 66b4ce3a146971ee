//! The counts at the end of a text, and what they say.

use std::fmt::{self, Write as _};
use std::io;

use anstyle::Style;

use super::paragraphs::{PAGE, options};
use super::row::words;
use super::{Text, written};
use crate::causes;
use crate::infer::Conclusion;
use crate::model::{Strength, plural};
use crate::outputs::policies::sentences;
use crate::summary::Summary;

/// Where the words behind a count and its share begin.
const COUNTS: usize = 35;

impl Text {
    pub(super) fn summary(&mut self, summary: &Summary) -> io::Result<()> {
        let attempts = summary.attempts;
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
        self.advice(summary)
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

/// A strength in words, with its mark.
const fn strength_words(strength: Strength) -> &'static str {
    match strength {
        Strength::Proven => "+ proven: a filter drops return traffic to these ports",
        Strength::Supported => "~ supported: allowed ports are answered, these are not; this is no proof yet",
        Strength::NoneYet => "? none yet: too few attempts to compare with, or something else may explain the failures",
        Strength::Contradicted => "! contradicted: such ports are answered, or allowed ports go unanswered too",
    }
}
