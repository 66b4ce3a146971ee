//! Tables of what was measured, and what was measured beside its target.

use serde_json::{Value, json};

/// A figure that has a target.
pub struct Row {
    pub what: String,
    pub target: String,
    pub measured: String,
    pub verdict: Verdict,
}

pub enum Verdict {
    Met,
    /// By how much.
    Missed(String),
    /// Why there is no figure.
    Skipped(String),
}

impl Row {
    /// A figure that must not be above its target.
    pub fn at_most(what: impl Into<String>, measured: f64, target: f64, unit: &str) -> Self {
        let verdict = if measured <= target {
            Verdict::Met
        } else {
            Verdict::Missed(format!("by {}{unit}", figure(measured - target)))
        };
        Self {
            what: what.into(),
            target: format!("at most {}{unit}", figure(target)),
            measured: format!("{}{unit}", figure(measured)),
            verdict,
        }
    }

    /// A figure that must not be below its target.
    pub fn at_least(what: impl Into<String>, measured: f64, target: f64, unit: &str) -> Self {
        let verdict = if measured >= target {
            Verdict::Met
        } else {
            Verdict::Missed(format!("by {}{unit}", figure(target - measured)))
        };
        Self {
            what: what.into(),
            target: format!("at least {}{unit}", figure(target)),
            measured: format!("{}{unit}", figure(measured)),
            verdict,
        }
    }

    pub fn skipped(what: impl Into<String>, target: impl Into<String>, why: impl Into<String>) -> Self {
        let verdict = Verdict::Skipped(why.into());
        Self { what: what.into(), target: target.into(), measured: "-".to_owned(), verdict }
    }

    /// What was measured in better words.
    #[must_use]
    pub fn measured(self, measured: impl Into<String>) -> Self {
        Self { measured: measured.into(), ..self }
    }

    fn verdict(&self) -> String {
        match &self.verdict {
            Verdict::Met => "met".to_owned(),
            Verdict::Missed(by) => format!("MISSED {by}"),
            Verdict::Skipped(why) => format!("skipped: {why}"),
        }
    }

    fn cells(&self) -> Vec<String> {
        vec![self.what.clone(), self.measured.clone(), self.target.clone(), self.verdict()]
    }

    pub fn json(&self) -> Value {
        json!({ "what": self.what, "target": self.target, "measured": self.measured, "verdict": self.verdict() })
    }
}

/// The table of targets.
pub fn targets(rows: &[Row]) -> String {
    let cells: Vec<_> = rows.iter().map(Row::cells).collect();
    aligned(&["what", "measured", "target", ""], &cells)
}

/// A Markdown table that is readable as it is.
pub fn aligned(head: &[&str], rows: &[Vec<String>]) -> String {
    let head: Vec<String> = head.iter().map(|&word| word.to_owned()).collect();
    let width = |column: usize| {
        let cells = std::iter::once(&head).chain(rows).filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let rule: Vec<String> = widths.iter().map(|&width| "-".repeat(width)).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}"));
        format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "))
    };
    [&head, &rule].into_iter().chain(rows).map(line).collect()
}

/// Three digits that mean something.
fn figure(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 || value.fract() == 0.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 0.01 => format!("{value:.3}"),
        _ => format!("{value:.5}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missed_target_says_by_how_much() {
        let row = Row::at_most("CPU", 1.05, 1.03, " x");
        assert_eq!(row.cells(), ["CPU", "1.050 x", "at most 1.030 x", "MISSED by 0.020 x"]);
    }

    #[test]
    fn the_target_itself_is_met() {
        assert_eq!(Row::at_least("events", 10.0, 10.0, "").verdict(), "met");
        assert_eq!(Row::at_least("events", 8.0, 10.0, " M/s").verdict(), "MISSED by 2 M/s");
        assert_eq!(Row::at_most("lost", 0.0, 0.0, "").verdict(), "met");
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let text = aligned(&["a", "long"], &[vec!["wide".to_owned(), "b".to_owned()]]);
        assert_eq!(text, "| a    | long |\n| ---- | ---- |\n| wide | b    |\n");
    }
}
