//! Reports for people: the verdict, its evidence and the best fix first, at most 80 columns wide, commands ready to be pasted.

use anstyle::{AnsiColor, Style};
use textwrap::core::Word;
use textwrap::{Options, WordSeparator};

use crate::checks::{CheckReport, DoctorOutcome, DoctorVerdict, Facts, Fix, Level};
use crate::model::Origin;
use crate::outputs::escape::Escaped;
use crate::outputs::text::paragraphs::options;

/// No line is wider, unless a single word is.
const PAGE: usize = 80;
/// Where the summary begins: after the level and the name of the check.
const COLUMN: usize = 25;
const INDENT: usize = 4;
/// Lines of everything; more would not be read.
const MAX_LINES: usize = 100;
/// Lines of all evidence before `--verbose`.
const MAX_EVIDENCE_LINES: usize = 4;
/// Lines of a command, mostly.
const LINES_OF_COMMAND: usize = 2;
/// Lines in which verdict, evidence and the best fix are read; the first command is printed in any case.
const FIRST_LINES: usize = 12;

/// The whole text; `verbose` adds every check, and how the kernel selects ports.
pub(super) fn write(
    facts: &Facts,
    reports: &[CheckReport],
    verdict: &DoctorVerdict,
    verbose: bool,
    colour: bool,
) -> String {
    let mut page = Page { text: String::new(), colour };
    page.paragraph(0, 2, &header(facts));
    page.verdict(verdict, verbose);
    page.text.push('\n');
    if verbose {
        // What there is to be done comes first, in the order in which it is right.
        let has_commands = |report: &&CheckReport| report.fixes.iter().any(|fix| !fix.commands.is_empty());
        let (first, others): (Vec<_>, Vec<_>) = reports.iter().partition(has_commands);
        first.into_iter().chain(others).for_each(|report| page.report(report));
    } else {
        let is_told =
            |report: &&CheckReport| verdict.evidence.iter().any(|evidence| evidence.starts_with(&report.summary));
        let rest = reports.iter().filter(|report| report.level >= Level::Warn && !is_told(report));
        rest.for_each(|report| page.head(report));
    }
    page.cut();
    let more = if verbose { "-o json has everything" } else { "--verbose shows each check, -o json everything" };
    page.paragraph(0, 2, &format!("{}; {more}", counts(reports)));
    page.text
}

fn header(facts: &Facts) -> String {
    let policy = &facts.policy;
    let origin = match policy.origin {
        Origin::Default => "assumed",
        Origin::Given => "--allow",
        Origin::Auto => "--allow auto: ip_local_port_range",
    };
    let allowed = match policy.v4 == policy.v6 {
        true => format!("{} ({origin})", policy.v4),
        false => format!("IPv4 {} ({origin}), IPv6 {} (--allow6)", policy.v4, policy.v6),
    };
    let netns = facts.netns.as_ref().map_or_else(String::new, |path| format!(" in {}", path.display()));
    format!("snatrace doctor on {} ({}){netns}: filter accepts {allowed}", facts.node, facts.kernel)
}

fn counts(reports: &[CheckReport]) -> String {
    let levels = [Level::Problem, Level::Warn, Level::Note, Level::Ok];
    let count = |level: Level| reports.iter().filter(|report| report.level == level).count();
    levels.map(|level| format!("{} {}", level.name(), count(level))).join(", ")
}

struct Page {
    text: String,
    colour: bool,
}

impl Page {
    fn verdict(&mut self, verdict: &DoctorVerdict, verbose: bool) {
        let level = match verdict.outcome {
            DoctorOutcome::Failing | DoctorOutcome::WillFail => Level::Problem,
            DoctorOutcome::MayFail | DoctorOutcome::Unknown => Level::Warn,
            DoctorOutcome::Ok => Level::Ok,
        };
        let style = self.style(level);
        let text = format!("{}: {}", verdict.outcome.name().to_uppercase(), verdict.text);
        self.text.push_str(&format!("{style}{}{style:#}\n", wrapped(0, 2, &text, options(PAGE))));
        for evidence in &verdict.evidence {
            let lines = wrapped(2, INDENT, &format!("evidence: {evidence}"), options(PAGE));
            let room = if verbose { MAX_LINES } else { MAX_EVIDENCE_LINES / verdict.evidence.len() };
            let kept: Vec<&str> = lines.lines().take(room).collect();
            let cut = if kept.len() < lines.lines().count() { " ..." } else { "" };
            self.text.push_str(&format!("{}{cut}\n", kept.join("\n")));
        }
        let Some(fix) = &verdict.fix else { return };
        self.paragraph(2, INDENT, &format!("fix: {}", fix.what));
        // With --verbose they stand with their rule.
        if !fix.commands.is_empty() && !verbose {
            let mut commands = fix.commands.iter();
            while let Some(command) = commands.next() {
                self.command(INDENT + 4, INDENT + 8, command);
                let left = commands.len();
                if left > 0 && self.text.lines().count() + LINES_OF_COMMAND > FIRST_LINES {
                    let words = if left == 1 { "command" } else { "commands" };
                    self.paragraph(INDENT, INDENT, &format!("and {left} more {words}, in this order (--verbose)"));
                    break;
                }
            }
            self.paragraph(2, INDENT, "or let the filter accept return traffic on ports 1024-65535");
        }
    }

    fn head(&mut self, report: &CheckReport) {
        let style = self.style(report.level);
        self.text.push_str(&format!("{style}{:<8}{style:#} {:<16}", report.level.name(), report.id));
        // The head takes the place of the first line's indent.
        let summary = wrapped(COLUMN, COLUMN, &report.summary, options(PAGE));
        self.text.push_str(summary.trim_start());
        self.text.push('\n');
    }

    fn report(&mut self, report: &CheckReport) {
        self.head(report);
        for detail in &report.details {
            self.paragraph(INDENT, INDENT + 2, detail);
        }
        report.fixes.iter().for_each(|fix| self.fix(fix));
    }

    fn fix(&mut self, fix: &Fix) {
        self.paragraph(INDENT, INDENT + 2, &format!("fix: {}", fix.what));
        for command in fix.commands.iter().chain(&fix.elsewhere) {
            self.command(INDENT + 4, INDENT + 8, command);
        }
        self.paragraph(INDENT + 4, INDENT + 4, &format!("then: {}", fix.consequence));
    }

    /// Ends the text where it has become too long, but not within a command.
    fn cut(&mut self) {
        // What follows has three lines.
        const ROOM: usize = MAX_LINES - 3;
        let lines: Vec<&str> = self.text.lines().collect();
        if lines.len() > ROOM {
            let is_whole = |kept: &usize| !lines[*kept - 1].ends_with('\\');
            let kept = (1..ROOM).rev().find(is_whole).unwrap_or(1);
            let left = lines.len() - kept;
            self.text = lines[..kept].join("\n") + &format!("\n({left} more lines)\n");
        }
    }

    fn paragraph(&mut self, first: usize, others: usize, text: &str) {
        self.text.push_str(&wrapped(first, others, text, options(PAGE)));
        self.text.push('\n');
    }

    fn style(&self, level: Level) -> Style {
        if !self.colour {
            return Style::new();
        }
        match level {
            Level::Ok => AnsiColor::Green.on_default(),
            Level::Note => AnsiColor::Cyan.on_default(),
            Level::Warn => AnsiColor::Yellow.on_default().bold(),
            Level::Problem => AnsiColor::Red.on_default().bold(),
        }
    }

    /// A command over several lines: each but the last ends in a backslash, and what stands in a shell's quotes stays whole.
    fn command(&mut self, first: usize, others: usize, text: &str) {
        const CONTINUED: &str = " \\";
        let options = options(PAGE - CONTINUED.len());
        let lines = wrapped(first, others, text, options.word_separator(WordSeparator::Custom(shell_words)));
        self.text.push_str(&lines.replace('\n', &format!("{CONTINUED}\n")));
        self.text.push('\n');
    }
}

fn wrapped(first: usize, others: usize, text: &str, options: Options<'_>) -> String {
    let (first, others) = (" ".repeat(first), " ".repeat(others));
    let options = options.initial_indent(&first).subsequent_indent(&others).break_words(false);
    textwrap::fill(&Escaped(text).to_string(), options)
}

/// Each with the spaces that follow it.
fn shell_words(line: &str) -> Box<dyn Iterator<Item = Word<'_>> + '_> {
    let (mut is_quoted, mut is_after_space) = (false, false);
    let mut starts = vec![0];
    for (index, char) in line.char_indices() {
        if char != ' ' && is_after_space {
            starts.push(index);
        }
        is_quoted ^= char == '\'';
        is_after_space = char == ' ' && !is_quoted;
    }
    starts.push(line.len());
    let words: Vec<Word<'_>> =
        starts.windows(2).filter_map(|ends| line.get(ends[0]..ends[1])).map(Word::from).collect();
    Box::new(words.into_iter())
}

#[cfg(test)]
mod tests;
