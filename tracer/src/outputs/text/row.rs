//! One finding as one line, and the titles over it.

use std::fmt::{self, Write};
use std::time::Duration;

use anstyle::Style;
use tracer_common::Flow;

use super::columns::{self, Cell, TextColumn};
use super::line::TextLine;
use crate::causes;
use crate::model::{Attempt, Clock, Finding, NatMode, Outcome, Strength};
use crate::outputs::escape::Escaped;

/// Characters of the longest cause, with its mark.
const CAUSE: usize = 18;
const ORDINAL: usize = 3;

/// Writes what the column of the cause has.
pub(super) type Conclusion = fn(&mut TextLine, &Finding<'_>) -> fmt::Result;

/// The columns of a run.
#[derive(Clone, Debug)]
pub(super) struct RowFormat {
    pub(super) clock: Clock,
    pub(super) cells: Vec<Cell>,
    /// Cells are cut to their width.
    pub(super) cuts: bool,
    /// For what is flagged.
    pub(super) alert: Style,
    /// For titles.
    pub(super) heading: Style,
}

impl RowFormat {
    pub(super) fn titles(&self, line: &mut TextLine) -> fmt::Result {
        for &Cell { column, width } in &self.cells {
            let title = column.properties().title;
            let width = if self.cuts { width } else { width.max(title.len()) };
            line.cell(width, self.heading, |line| line.write_str(title))?;
        }
        Ok(())
    }

    /// A line of a finding.
    pub(super) fn line(&self, line: &mut TextLine, finding: &Finding<'_>, conclusion: Conclusion) -> fmt::Result {
        for &cell in &self.cells {
            let is_alert = finding.judgement.flagged && cell.column.is_about_verdict();
            let style = if is_alert { self.alert } else { Style::new() };
            let value = |line: &mut TextLine, width| match cell.column == TextColumn::Cause {
                true => conclusion(line, finding),
                false => self.value(line, cell.column, width, finding),
            };
            if self.cuts {
                line.cell(cell.width, style, |line| value(line, cell.width))?;
            } else {
                let width = cell.width.max(cell.column.properties().title.len());
                line.padded(width, usize::MAX, style, |line| value(line, usize::MAX))?;
            }
        }
        Ok(())
    }

    fn value(&self, line: &mut TextLine, column: TextColumn, width: usize, finding: &Finding<'_>) -> fmt::Result {
        let attempt = finding.attempt;
        let (original, translated) = (attempt.original, attempt.translated);
        let owner = finding.owner;
        match column {
            TextColumn::Time => time(line, self.clock, finding, width),
            TextColumn::Node => write!(line, "{}", Escaped(&finding.capture.node)),
            TextColumn::Source => source(line, original, width),
            TextColumn::NatSource => source(line, translated, width),
            TextColumn::NatPort => match translated {
                Some(flow) => {
                    line.number(flow.src_port);
                    Ok(())
                }
                None => line.write_char('-'),
            },
            TextColumn::OwnerOrSource if owner.is_none() => source(line, original, width),
            TextColumn::Owner | TextColumn::OwnerOrSource => shortened(line, width, |line| match owner {
                Some(owner) => write!(line, "{}", Escaped(&owner.label())),
                None => line.write_char('-'),
            }),
            TextColumn::Container => shortened(line, width, |line| {
                write!(line, "{}", Escaped(owner.and_then(|owner| owner.container.as_deref()).unwrap_or("-")))
            }),
            TextColumn::Process => shortened(line, width, |line| match &attempt.process {
                Some(process) => write!(line, "{}/{}", Escaped(&process.command()), process.pid),
                None => line.write_char('-'),
            }),
            TextColumn::Destination if self.has(TextColumn::Backend) => target(line, original.or(translated), width),
            TextColumn::Destination => destination(line, attempt, width),
            TextColumn::Backend => target(line, columns::backend(attempt), width),
            TextColumn::Interface => write!(line, "{}", Escaped(finding.interface.unwrap_or("-"))),
            TextColumn::Ordinal => ordinal(line, finding),
            TextColumn::Wait => wait(line, finding),
            TextColumn::Mode => mode(line, attempt),
            TextColumn::Cause => cause(line, finding),
        }
    }

    fn has(&self, column: TextColumn) -> bool {
        self.cells.iter().any(|cell| cell.column == column)
    }
}

/// `02:00:01.234`, or without milliseconds where they do not fit.
fn time(line: &mut TextLine, clock: Clock, finding: &Finding<'_>, width: usize) -> fmt::Result {
    let (_, time) = clock.day_and_time(finding.capture, finding.time_ns);
    let (seconds, ms) = (time.as_secs() as u32, time.subsec_millis());
    let [h, m, s] = [seconds / 3600, seconds / 60 % 60, seconds % 60].map(|pair| [digit(pair / 10), digit(pair)]);
    let ms = [digit(ms / 100), digit(ms / 10), digit(ms)];
    let all = [h[0], h[1], b':', m[0], m[1], b':', s[0], s[1], b'.', ms[0], ms[1], ms[2]];
    line.ascii(if width < all.len() { &all[..8] } else { &all });
    Ok(())
}

const fn digit(number: u32) -> u8 {
    b'0' + (number % 10) as u8
}

/// What `write` writes, without its middle where it is too long.
fn shortened(line: &mut TextLine, width: usize, write: impl FnOnce(&mut TextLine) -> fmt::Result) -> fmt::Result {
    let start = line.len();
    write(line)?;
    line.without_middle(start, width);
    Ok(())
}

fn source(line: &mut TextLine, flow: Option<Flow>, width: usize) -> fmt::Result {
    let Some(flow) = flow else { return line.write_char('-') };
    line.endpoint(flow.src_addr(), flow.src_port, width)
}

fn target(line: &mut TextLine, flow: Option<Flow>, width: usize) -> fmt::Result {
    let Some(flow) = flow else { return line.write_char('-') };
    line.endpoint(flow.dst_addr(), flow.dst_port, width)
}

/// Before NAT; where NAT changed it, what it became follows, as far as there is room.
fn destination(line: &mut TextLine, attempt: &Attempt, width: usize) -> fmt::Result {
    let first = attempt.original.or(attempt.translated);
    let Some((first, second)) = first.zip(columns::backend(attempt)) else { return target(line, first, width) };
    let (before, after) = (first.dst_addr(), second.dst_addr());
    let start = line.len();
    if first.dst_port == second.dst_port {
        write!(line, "{before}>")?;
    } else {
        line.endpoint(before, first.dst_port, usize::MAX)?;
        line.ascii(b">");
    }
    line.endpoint(after, second.dst_port, usize::MAX)?;
    if line.len() - start > width {
        line.truncate(start);
        line.endpoint(before, first.dst_port, width - 2)?;
        line.write_str(">…")?;
    }
    Ok(())
}

fn ordinal(line: &mut TextLine, finding: &Finding<'_>) -> fmt::Result {
    match finding.ordinal {
        _ if finding.is_over => line.write_str("end"),
        1000.. => line.write_str("1k+"),
        ordinal => {
            let before = ORDINAL - ordinal.checked_ilog10().unwrap_or(0) as usize - 1;
            line.spaces(before);
            line.number(ordinal);
            Ok(())
        }
    }
}

/// `1.02s` since the first SYN.
fn wait(line: &mut TextLine, finding: &Finding<'_>) -> fmt::Result {
    let wait = Duration::from_nanos(finding.time_ns.saturating_sub(finding.attempt.first_ns)).as_secs_f64();
    if wait < 10_000.0 {
        write!(line, "{wait:>6.*}s", if wait < 1000.0 { 2 } else { 0 })
    } else {
        line.write_str("  >10ks")
    }
}

/// With a mark for the evidence of a filter.
pub(super) fn cause(line: &mut TextLine, finding: &Finding<'_>) -> fmt::Result {
    words(line, finding.judgement.cause.unwrap_or("-"))?;
    mark(finding).map_or(Ok(()), |mark| line.write_char(mark))
}

/// `answered after 3`, `gave up after 6` retransmits.
pub(super) fn end(line: &mut TextLine, finding: &Finding<'_>) -> fmt::Result {
    let words = match finding.attempt.outcome {
        Outcome::Established => "answered",
        Outcome::TimedOut => "gave up",
        Outcome::Refused => "refused",
        Outcome::Closed => "closed",
        Outcome::Pending => "pending",
    };
    write!(line, "{words} after {}", finding.attempt.retransmits)
}

/// How strong the evidence of a filter is, where the attempt is flagged and no observed event shows its cause.
pub(super) fn mark(finding: &Finding<'_>) -> Option<char> {
    finding.judgement.cause.filter(|cause| causes::rests_on_silence(cause))?;
    Some(match finding.judgement.strength? {
        Strength::Proven => '+',
        Strength::Supported => '~',
        Strength::NoneYet => '?',
        Strength::Contradicted => '!',
    })
}

fn mode(line: &mut TextLine, attempt: &Attempt) -> fmt::Result {
    let mode = NatMode::from(attempt.range);
    if mode == NatMode::Unknown { line.write_char('-') } else { words(line, mode.name()) }
}

/// A name from JSON as words.
fn words(line: &mut TextLine, name: &str) -> fmt::Result {
    let mut words = [0; CAUSE];
    let words = &mut words[..name.len().min(CAUSE)];
    for (to, &from) in words.iter_mut().zip(name.as_bytes()) {
        *to = if from == b'_' { b' ' } else { from };
    }
    line.ascii(words);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::example;
    use crate::outputs::testing;

    #[test]
    fn an_ordinal_is_as_wide_as_its_column() {
        let (capture, attempt) = (example::capture("node7"), Attempt::default());
        let judged = testing::Judged::new(&capture, &attempt);
        for (number, shown) in [(0, "  0"), (1, "  1"), (42, " 42"), (999, "999"), (1000, "1k+")] {
            let mut line = TextLine::default();
            let finding = Finding { ordinal: number, ..judged.finding() };
            assert!(ordinal(&mut line, &finding).is_ok());
            assert_eq!(line.end(), format!("{shown}\n").as_bytes());
        }
    }

    #[test]
    fn the_names_of_causes_and_modes_fit_their_columns() {
        let width = |id| CAUSE - usize::from(causes::rests_on_silence(id));
        assert!(causes::ALL.iter().all(|cause| cause.id.len() <= width(cause.id)));
        let modes = [NatMode::FullyRandom, NatMode::Random, NatMode::Preserved, NatMode::Range];
        assert!(modes.iter().all(|mode| mode.name().len() <= 12));
    }
}
