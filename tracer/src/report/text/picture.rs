//! The space of translated ports, and failures over time, in blocks.

use std::fmt::{self, Write};

use anstyle::Style;

use super::{Styles, heading, paragraph};
use crate::model::PortSet;
use crate::report::numbers::{short, span};
use crate::report::{FamilyPorts, Report, words};
use crate::tally::LOWEST;

/// Ports in a column: every power of two is then the border of a column, 32768 among them.
const WIDTH: u32 = 1024;
const COLUMNS: usize = 63;
/// Left of the columns.
const GUTTER: usize = 16;
const HEIGHT: usize = 4;
/// Ports on the axis, each at the beginning of its column; the last port ends the axis.
const TICKS: [u32; 4] = [1024, 16384, 32768, 49152];

pub(super) fn ports(out: &mut String, family: &FamilyPorts<'_>, styles: Styles) -> fmt::Result {
    heading(out, styles, &format!("Translated ports, {} (a column is {WIDTH} ports)", family.name))?;
    if family.ports.is_empty() {
        paragraph(out, words::NO_PORT);
        return Ok(());
    }
    let counts: Vec<(u64, u64)> = family.ports.columns(WIDTH).map(|(_, _, counts)| counts).collect();
    let most = counts.iter().map(|&(answered, unanswered)| answered.max(unanswered)).max().unwrap_or(0);
    let (answered, unanswered): (Vec<u64>, Vec<u64>) = counts.into_iter().unzip();
    panel(out, "answered", &answered, most, HEIGHT, styles.answered)?;
    panel(out, "unanswered", &unanswered, most, HEIGHT, styles.unanswered)?;
    axis(out, family.allowed)?;
    paragraph(out, &words::inside_and_outside(family));
    words::below(family).iter().for_each(|line| paragraph(out, line));
    Ok(())
}

/// Bars, with their name and what a full bar stands for.
fn panel(out: &mut String, name: &str, values: &[u64], most: u64, height: usize, style: Style) -> fmt::Result {
    let labels = [short(most), name.to_owned()];
    for (row, line) in bars(values, most, height).iter().enumerate() {
        let label = labels.get(row).map_or("", String::as_str);
        let line = line.trim_end_matches(' ');
        writeln!(out, "{label:>GUTTER$}│{style}{line}{style:#}")?;
    }
    Ok(())
}

fn axis(out: &mut String, allowed: Option<&PortSet>) -> fmt::Result {
    let mut line = vec!['─'; COLUMNS];
    for tick in TICKS {
        if let Some(place) = line.get_mut(column(tick)) {
            *place = '┴';
        }
    }
    writeln!(out, "{:>GUTTER$}└{}", "", line.into_iter().collect::<String>())?;
    if let Some(allowed) = allowed {
        let marks: String = (0..COLUMNS).map(|column| mark(allowed, column)).collect();
        writeln!(out, "{:>GUTTER$} {}", "allowed", marks.trim_end_matches(' '))?;
    }
    let mut labels = String::new();
    for tick in TICKS {
        let _ = write!(labels, "{:>1$}", "", column(tick).saturating_sub(labels.len()));
        write!(labels, "{tick}")?;
    }
    let end = COLUMNS - labels.len();
    writeln!(out, "{:>GUTTER$} {labels}{:>end$}", "port", "65535")
}

fn column(port: u32) -> usize {
    ((port - LOWEST) / WIDTH) as usize
}

/// A column that is allowed as a whole, in part, or not at all.
fn mark(allowed: &PortSet, column: usize) -> char {
    let low = LOWEST + column as u32 * WIDTH;
    let high = low + WIDTH - 1;
    let inside = |(from, to): (u16, u16)| (high.min(to.into()) + 1).saturating_sub(low.max(from.into()));
    match allowed.ranges().map(inside).sum::<u32>() {
        0 => ' ',
        WIDTH => '━',
        1.. => '╌',
    }
}

pub(super) fn over_time(out: &mut String, report: &Report<'_>, styles: Styles) -> fmt::Result {
    let steps = report.tally.timeline.columns(COLUMNS);
    let (Some(first), Some(last)) = (steps.first(), steps.last()) else { return Ok(()) };
    heading(out, styles, &format!("Over time (a step is {})", span(first.length_s.unsigned_abs())))?;
    let wide = COLUMNS / steps.len();
    let values = |of: fn(&crate::tally::Counts) -> u64| -> Vec<u64> {
        steps.iter().flat_map(|step| std::iter::repeat_n(of(&step.counts), wide)).collect()
    };
    for (name, values, style) in [
        ("attempts", values(|counts| counts.attempts), Style::new()),
        ("unanswered", values(|counts| counts.unanswered), styles.unanswered),
    ] {
        panel(out, name, &values, values.iter().copied().max().unwrap_or(0), 2, style)?;
    }
    writeln!(out, "{:>GUTTER$}└{}", "", "─".repeat(steps.len() * wide))?;
    let (clock, end_s) = (report.clock(), last.start_s + last.length_s);
    let label = |unix_s| words::step(clock, unix_s, first.length_s, end_s - first.start_s);
    let (from, to) = (label(first.start_s), label(end_s));
    let end = (steps.len() * wide).saturating_sub(from.len()).max(to.len() + 1);
    writeln!(out, "{:>GUTTER$} {from}{to:>end$}", "")
}

/// Eighths of a block, from below.
const BLOCKS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The bars as lines, the uppermost first, all `height` lines high at `most`.
///
/// What is not nothing is never drawn as nothing, and only `most` itself fills the last block.
fn bars(values: &[u64], most: u64, height: usize) -> Vec<String> {
    let levels: Vec<usize> = values.iter().map(|&value| level(value, most, height * 8)).collect();
    let line = |row: usize| levels.iter().map(|level| BLOCKS[level.saturating_sub(row * 8).min(8)]).collect();
    (0..height).rev().map(line).collect()
}

fn level(value: u64, most: u64, levels: usize) -> usize {
    let scaled = u128::from(value) * levels as u128 / u128::from(most.max(1));
    match usize::try_from(scaled) {
        Ok(0) if value > 0 => 1,
        Ok(level) => level.min(levels),
        Err(_) => levels,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(allowed: &str) -> String {
        let allowed: PortSet = allowed.parse().unwrap();
        (0..COLUMNS).map(|column| mark(&allowed, column)).collect()
    }

    #[test]
    fn the_policy_is_marked_column_by_column() {
        assert_eq!(marks("32768-65535"), " ".repeat(31) + &"━".repeat(32));
        assert_eq!(marks("any"), "━".repeat(63));
        assert_eq!(marks("0-1023"), " ".repeat(63));
        assert_eq!(marks("1024-2047,2049"), format!("━╌{}", " ".repeat(61)));
    }

    #[test]
    fn ticks_stand_at_the_beginning_of_their_columns() {
        assert_eq!(TICKS.map(column), [0, 15, 31, 47]);
        let mut out = String::new();
        axis(&mut out, None).unwrap();
        let lines: Vec<&str> = out.lines().collect();
        assert_eq!(lines[0].chars().count(), 80);
        assert_eq!(lines[1].chars().count(), 80);
        for port in ["16384", "32768", "49152"] {
            assert_eq!(lines[0].chars().nth(lines[1].find(port).unwrap()), Some('┴'), "{port}");
        }
    }

    #[test]
    fn a_bar_grows_by_eighths_of_a_block() {
        assert_eq!(bars(&[0, 1, 2, 3, 4, 5, 6, 7, 8], 8, 1), [" ▁▂▃▄▅▆▇█"]);
        assert_eq!(bars(&[0, 8, 9, 16], 16, 2), ["  ▁█", " ███"]);
    }

    #[test]
    fn what_is_not_nothing_is_seen() {
        assert_eq!(bars(&[1, 0, u64::MAX], u64::MAX, 1), ["▁ █"]);
        assert_eq!(bars(&[0, 0], 0, 1), ["  "]);
    }

    #[test]
    fn only_the_highest_bar_is_full() {
        assert_eq!(bars(&[999, 1000], 1000, 1), ["▇█"]);
    }
}
