//! Markdown tables of what was measured, and of figures beside their targets.

/// A figure beside its target.
pub struct Row {
    what: String,
    measured: String,
    target: String,
    verdict: String,
}

impl Row {
    pub fn at_most(what: impl Into<String>, measured: f64, target: f64, unit: &str) -> Self {
        Self::new(what, measured, ("at most", target), measured - target, unit)
    }

    pub fn at_least(what: impl Into<String>, measured: f64, target: f64, unit: &str) -> Self {
        Self::new(what, measured, ("at least", target), target - measured, unit)
    }

    /// A figure that could not be measured, with the reason.
    pub fn skipped(what: impl Into<String>, why: impl std::fmt::Display) -> Self {
        let dash = || "-".to_owned();
        Self { what: what.into(), measured: dash(), target: dash(), verdict: format!("skipped: {why}") }
    }

    /// Replaces the text of the measured figure.
    #[must_use]
    pub fn measured(self, measured: impl Into<String>) -> Self {
        Self { measured: measured.into(), ..self }
    }

    fn new(what: impl Into<String>, measured: f64, (bound, target): (&str, f64), excess: f64, unit: &str) -> Self {
        let verdict = if excess <= 0.0 { "met".to_owned() } else { format!("MISSED by {}{unit}", rounded(excess)) };
        Self {
            what: what.into(),
            measured: format!("{}{unit}", rounded(measured)),
            target: format!("{bound} {}{unit}", rounded(target)),
            verdict,
        }
    }

    fn cells(&self) -> Vec<String> {
        [&self.what, &self.measured, &self.target, &self.verdict].map(Clone::clone).to_vec()
    }
}

pub fn of_targets(rows: &[Row]) -> String {
    aligned(&["what", "measured", "target", ""], &rows.iter().map(Row::cells).collect::<Vec<_>>())
}

/// A Markdown table that is readable without rendering.
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

/// Three significant digits.
fn rounded(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 || value.fract() == 0.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::Row;

    #[test]
    fn a_missed_target_says_by_how_much() {
        let row = Row::at_most("CPU", 1.05, 1.03, " x");
        assert_eq!(row.cells(), ["CPU", "1.050 x", "at most 1.030 x", "MISSED by 0.020 x"]);
        assert_eq!(Row::at_least("events", 8.0, 10.0, " M/s").verdict, "MISSED by 2 M/s");
        assert_eq!(Row::at_least("events", 10.0, 10.0, "").verdict, "met");
        assert_eq!(Row::at_most("lost", 0.0, 0.0, "").verdict, "met");
    }
}
