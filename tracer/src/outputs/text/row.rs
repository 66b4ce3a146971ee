//! One finding as one line, and the titles over it.

use std::fmt::{self, Write};

use anstyle::Style;

use super::line::TextLine;
use crate::causes;
use crate::model::{Attempt, Clock, Finding, NatMode, Owner, Strength};
use crate::outputs::escape::Escaped;

const TIME: usize = 12;
const NODE: usize = 15;
const SOURCE: usize = 21;
const PORT: usize = 5;
const OWNER: usize = 28;
const OWNER_OR_SOURCE: usize = 34;
const DESTINATION: usize = 27;
const ORDINAL: usize = 3;
const MODE: usize = 12;
const CAUSE: usize = 18;

/// The columns of a run.
///
/// With several nodes, the node's name takes the place of the translated address, which is the node's own as a rule. Names
/// of pods take that place and that of the NAT mode, which is the same for most of a node's lines; with several nodes,
/// that of the original source where there is a name.
#[derive(Clone, Copy, Debug)]
pub(super) struct RowFormat {
    pub(super) clock: Clock,
    pub(super) several_nodes: bool,
    /// A pod or container is known.
    pub(super) names: bool,
    /// For what is flagged.
    pub(super) alert: Style,
    /// For titles.
    pub(super) heading: Style,
}

impl RowFormat {
    pub(super) fn titles(&self, line: &mut TextLine) -> fmt::Result {
        let mut title = |width, title| line.cell(width, self.heading, |line| line.write_str(title));
        title(TIME, "TIME")?;
        match (self.several_nodes, self.names) {
            (false, false) => {
                title(SOURCE, "ORIGINAL SOURCE")?;
                title(SOURCE, "TRANSLATED SOURCE")?;
            }
            (true, false) => {
                title(NODE, "NODE")?;
                title(SOURCE, "ORIGINAL SOURCE")?;
                title(PORT, "NAT")?;
            }
            (false, true) => {
                title(SOURCE, "ORIGINAL SOURCE")?;
                title(PORT, "NAT")?;
                title(OWNER, "POD OR CONTAINER")?;
            }
            (true, true) => {
                title(NODE, "NODE")?;
                title(OWNER_OR_SOURCE, "POD, CONTAINER OR ORIGINAL SOURCE")?;
                title(PORT, "NAT")?;
            }
        }
        title(DESTINATION, "DESTINATION")?;
        title(ORDINAL, "RTX")?;
        if !self.names {
            title(MODE, "NAT MODE")?;
        }
        title(CAUSE, "CAUSE")
    }

    pub(super) fn finding(&self, line: &mut TextLine, finding: &Finding<'_>) -> fmt::Result {
        let (attempt, plain) = (finding.attempt, Style::new());
        let style = if finding.judgement.flagged { self.alert } else { plain };
        line.cell(TIME, plain, |line| time(line, self.clock, finding))?;
        if self.several_nodes {
            line.cell(NODE, plain, |line| write!(line, "{}", Escaped(&finding.capture.node)))?;
        }
        match (self.several_nodes, self.names) {
            (false, false) => {
                line.cell(SOURCE, plain, |line| original_source(line, attempt))?;
                line.cell(SOURCE, style, |line| translated_source(line, attempt))?;
            }
            (true, false) => {
                line.cell(SOURCE, plain, |line| original_source(line, attempt))?;
                line.cell(PORT, style, |line| translated_port(line, attempt))?;
            }
            (false, true) => {
                line.cell(SOURCE, plain, |line| original_source(line, attempt))?;
                line.cell(PORT, style, |line| translated_port(line, attempt))?;
                line.cell(OWNER, plain, |line| owner(line, finding))?;
            }
            (true, true) => {
                line.cell(OWNER_OR_SOURCE, plain, |line| owner_or_source(line, finding))?;
                line.cell(PORT, style, |line| translated_port(line, attempt))?;
            }
        }
        line.cell(DESTINATION, plain, |line| destination(line, attempt))?;
        line.cell(ORDINAL, plain, |line| ordinal(line, finding))?;
        if !self.names {
            line.cell(MODE, plain, |line| mode(line, attempt))?;
        }
        line.cell(CAUSE, style, |line| cause(line, finding))
    }
}

/// `02:00:01.234`
fn time(line: &mut TextLine, clock: Clock, finding: &Finding<'_>) -> fmt::Result {
    let (_, time) = clock.day_and_time(finding.capture, finding.time_ns);
    let (seconds, ms) = (time.as_secs() as u32, time.subsec_millis());
    let [h, m, s] = [seconds / 3600, seconds / 60 % 60, seconds % 60].map(|pair| [digit(pair / 10), digit(pair)]);
    let ms = [digit(ms / 100), digit(ms / 10), digit(ms)];
    line.ascii(&[h[0], h[1], b':', m[0], m[1], b':', s[0], s[1], b'.', ms[0], ms[1], ms[2]]);
    Ok(())
}

const fn digit(number: u32) -> u8 {
    b'0' + (number % 10) as u8
}

fn owner(line: &mut TextLine, finding: &Finding<'_>) -> fmt::Result {
    match finding.owner {
        Some(owner) => name(line, owner, OWNER),
        None => line.write_char('-'),
    }
}

fn owner_or_source(line: &mut TextLine, finding: &Finding<'_>) -> fmt::Result {
    match finding.owner {
        Some(owner) => name(line, owner, OWNER_OR_SOURCE),
        None => original_source(line, finding.attempt),
    }
}

/// `namespace/pod`, or the container that no pod has.
fn name(line: &mut TextLine, owner: &Owner, width: usize) -> fmt::Result {
    let start = line.len();
    let known = |name: Option<&str>| Escaped(name.unwrap_or("-")).to_string();
    match (owner.namespace.as_deref(), owner.pod.as_deref()) {
        (None, None) => write!(line, "{}", known(owner.container.as_deref()))?,
        (namespace, pod) => write!(line, "{}/{}", known(namespace), known(pod))?,
    }
    line.without_middle(start, width);
    Ok(())
}

fn original_source(line: &mut TextLine, attempt: &Attempt) -> fmt::Result {
    let Some(flow) = attempt.original else { return line.write_char('-') };
    line.endpoint(flow.src_addr(), flow.src_port, SOURCE)
}

fn translated_source(line: &mut TextLine, attempt: &Attempt) -> fmt::Result {
    let Some(flow) = attempt.translated else { return line.write_char('-') };
    line.endpoint(flow.src_addr(), flow.src_port, SOURCE)
}

fn translated_port(line: &mut TextLine, attempt: &Attempt) -> fmt::Result {
    let Some(flow) = attempt.translated else { return line.write_char('-') };
    line.number(flow.src_port);
    Ok(())
}

/// Before NAT; where NAT changed it, what it became follows, as far as there is room.
fn destination(line: &mut TextLine, attempt: &Attempt) -> fmt::Result {
    let Some(first) = attempt.original.or(attempt.translated) else { return line.write_char('-') };
    let second = attempt.translated.unwrap_or(first);
    let (before, after) = (first.dst_addr(), second.dst_addr());
    if (before, first.dst_port) == (after, second.dst_port) {
        return line.endpoint(before, first.dst_port, DESTINATION);
    }
    let start = line.len();
    if first.dst_port == second.dst_port {
        write!(line, "{before}>")?;
    } else {
        line.endpoint(before, first.dst_port, usize::MAX)?;
        line.ascii(b">");
    }
    line.endpoint(after, second.dst_port, usize::MAX)?;
    if line.len() - start > DESTINATION {
        line.truncate(start);
        line.endpoint(before, first.dst_port, DESTINATION - 2)?;
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

/// With a mark for the evidence of a filter.
fn cause(line: &mut TextLine, finding: &Finding<'_>) -> fmt::Result {
    words(line, finding.judgement.cause.unwrap_or("-"))?;
    mark(finding).map_or(Ok(()), |mark| line.write_char(mark))
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
    match NatMode::from(attempt.range) {
        NatMode::Unknown => line.write_char('-'),
        known @ (NatMode::FullyRandom | NatMode::Random | NatMode::Preserved | NatMode::Range) => {
            words(line, known.name())
        }
    }
}

/// A name from JSON as words.
pub(super) fn words(line: &mut TextLine, name: &str) -> fmt::Result {
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
    fn the_columns_fill_the_page_and_no_more() {
        let rest = DESTINATION + ORDINAL + MODE + CAUSE + 3;
        assert_eq!(TIME + 1 + SOURCE + 1 + SOURCE + 1 + rest, super::super::paragraphs::PAGE);
        assert_eq!(TIME + 1 + NODE + 1 + SOURCE + 1 + PORT + 1 + rest, super::super::paragraphs::PAGE);
        let rest = rest - MODE - 1;
        assert_eq!(TIME + 1 + SOURCE + 1 + PORT + 1 + OWNER + 1 + rest, super::super::paragraphs::PAGE);
        assert_eq!(TIME + 1 + NODE + 1 + OWNER_OR_SOURCE + 1 + PORT + 1 + rest, super::super::paragraphs::PAGE);
    }

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
        assert!(modes.iter().all(|mode| mode.name().len() <= MODE && MODE <= CAUSE));
    }
}
