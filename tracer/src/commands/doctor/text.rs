//! Reports for people: at most 100 columns wide, commands ready to be pasted.

use anstyle::{AnsiColor, Style};

use crate::checks::{Facts, Fix, Level, Report};
use crate::model::Origin;
use crate::outputs::escape::Escaped;

/// No line is wider, unless a single word is.
const PAGE: usize = 100;
/// Where the summary begins: after the level and the name of the check.
const COLUMN: usize = 25;
const INDENT: usize = 4;

/// The whole text.
pub(super) fn write(facts: &Facts, reports: &[Report], colour: bool) -> String {
    let mut page = Page { text: String::new(), colour };
    page.paragraph(0, 0, &header(facts), "");
    page.text.push('\n');
    reports.iter().for_each(|report| page.report(report));
    page.text.push('\n');
    page.paragraph(0, 0, &counts(reports), "");
    page.text
}

fn header(facts: &Facts) -> String {
    let policy = &facts.policy;
    let origin = match policy.origin {
        Origin::Default => "assumed; say yours with --allow",
        Origin::Given => "--allow",
        Origin::Auto => "--allow auto: ip_local_port_range",
    };
    let allowed = match policy.v4 == policy.v6 {
        true => format!("{} ({origin})", policy.v4),
        false => format!("IPv4 {} ({origin}), IPv6 {} (--allow6)", policy.v4, policy.v6),
    };
    let netns = facts.netns.as_ref().map_or_else(String::new, |path| format!(" in {}", path.display()));
    format!("snatrace doctor on {} ({}){netns}: allowed translated ports {allowed}", facts.node, facts.kernel)
}

fn counts(reports: &[Report]) -> String {
    let levels = [Level::Problem, Level::Warn, Level::Note, Level::Ok];
    let count = |level: Level| reports.iter().filter(|report| report.level == level).count();
    levels.map(|level| format!("{} {}", level.name(), count(level))).join(", ")
}

struct Page {
    text: String,
    colour: bool,
}

impl Page {
    fn report(&mut self, report: &Report) {
        let style = if self.colour { style(report.level) } else { Style::new() };
        let head = format!("{style}{:<8}{style:#} {:<16}", report.level.name(), report.id);
        self.text.push_str(&head);
        // The head has its column already.
        self.flow(COLUMN, COLUMN, &report.summary, "");
        for detail in &report.details {
            self.paragraph(INDENT, INDENT + 2, detail, "");
        }
        report.fixes.iter().for_each(|fix| self.fix(fix));
    }

    fn fix(&mut self, fix: &Fix) {
        self.paragraph(INDENT, INDENT + 2, &format!("fix: {}", fix.what), "");
        for command in &fix.commands {
            self.paragraph(INDENT + 4, INDENT + 8, command, " \\");
        }
        self.paragraph(INDENT + 4, INDENT + 4, &format!("then: {}", fix.consequence), "");
    }

    fn paragraph(&mut self, first: usize, others: usize, text: &str, broken: &str) {
        self.text.push_str(&" ".repeat(first));
        self.flow(first, others, text, broken);
    }

    /// Words from this column on; `broken` ends a line that goes on.
    fn flow(&mut self, start: usize, others: usize, text: &str, broken: &str) {
        let escaped = Escaped(text).to_string();
        let is_command = !broken.is_empty();
        let mut is_quoted = false;
        // What stands in a shell's quotes cannot be broken.
        let words = escaped.split(|char| {
            is_quoted ^= is_command && char == '\'';
            char == ' ' && !is_quoted
        });
        let mut column = start;
        for (index, word) in words.enumerate() {
            if index > 0 && column + 1 + word.len() + broken.len() > PAGE {
                self.text.push_str(broken);
                self.text.push('\n');
                self.text.push_str(&" ".repeat(others));
                column = others;
            } else if index > 0 {
                self.text.push(' ');
                column += 1;
            }
            self.text.push_str(word);
            column += word.len();
        }
        self.text.push('\n');
    }
}

fn style(level: Level) -> Style {
    match level {
        Level::Ok => AnsiColor::Green.on_default(),
        Level::Note => AnsiColor::Cyan.on_default(),
        Level::Warn => AnsiColor::Yellow.on_default().bold(),
        Level::Problem => AnsiColor::Red.on_default().bold(),
    }
}

#[cfg(test)]
mod tests;
