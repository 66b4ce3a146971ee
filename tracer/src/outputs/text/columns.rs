//! The columns of a line: which there are, and how wide each is on a page of a given width.

use crate::model::Attempt;

/// A column of a line. Its name on the command line is in [`ALL`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextColumn {
    Time,
    Node,
    /// Source before NAT.
    Source,
    /// Source after NAT.
    NatSource,
    /// Its port alone.
    NatPort,
    /// Pod, or the container that no pod has.
    Owner,
    /// The same, or the source before NAT where there is no name.
    OwnerOrSource,
    /// In a pod or not.
    Container,
    Process,
    /// Destination before NAT; without a column for it also the one after NAT.
    Destination,
    /// Destination after NAT, where it is another.
    Backend,
    /// Interface by which the SYN left first.
    Interface,
    /// Number of the retransmit.
    Ordinal,
    /// Time since the first SYN.
    Wait,
    Mode,
    /// Cause and evidence.
    Cause,
}

/// What a column looks like.
#[derive(Debug)]
pub struct Properties {
    /// In `--columns`.
    pub id: &'static str,
    pub(super) title: &'static str,
    /// On narrow pages, on one of [`PAGE`](super::paragraphs::PAGE) columns, and where there is room for all of it.
    min: usize,
    base: usize,
    max: usize,
}

/// Every column, in the order of the enum, which is that of `-o wide`.
pub const ALL: &[(TextColumn, Properties)] = &[
    (TextColumn::Time, properties("time", "TIME", 8, 12, 12)),
    (TextColumn::Node, properties("node", "NODE", 6, 15, 40)),
    (TextColumn::Source, properties("source", "ORIGINAL SOURCE", 15, 21, 47)),
    (TextColumn::NatSource, properties("nat", "TRANSLATED SOURCE", 15, 21, 47)),
    (TextColumn::NatPort, properties("port", "NAT", 5, 5, 5)),
    (TextColumn::Owner, properties("pod", "POD OR CONTAINER", 12, 28, 64)),
    (TextColumn::OwnerOrSource, properties("pod-or-source", "POD, CONTAINER OR ORIGINAL SOURCE", 15, 34, 64)),
    (TextColumn::Container, properties("container", "CONTAINER", 9, 16, 40)),
    (TextColumn::Process, properties("process", "PROCESS", 9, 16, 24)),
    (TextColumn::Destination, properties("destination", "DESTINATION", 15, 27, 95)),
    (TextColumn::Backend, properties("backend", "BACKEND", 15, 21, 47)),
    (TextColumn::Interface, properties("interface", "INTERFACE", 9, 9, 15)),
    (TextColumn::Ordinal, properties("rtx", "RTX", 3, 3, 3)),
    (TextColumn::Wait, properties("wait", "WAIT", 7, 7, 7)),
    (TextColumn::Mode, properties("mode", "NAT MODE", 12, 12, 12)),
    (TextColumn::Cause, properties("cause", "CAUSE", 18, 18, 18)),
];

const fn properties(id: &'static str, title: &'static str, min: usize, base: usize, max: usize) -> Properties {
    Properties { id, title, min, base, max }
}

/// What `-o wide` shows: all but what other columns have.
pub(super) fn wide() -> impl Iterator<Item = TextColumn> {
    ALL.iter().map(|(column, _)| *column).filter(|of| !matches!(of, TextColumn::NatPort | TextColumn::OwnerOrSource))
}

/// Left out in this order where a page is too narrow; what is not in this list stays.
const DISPENSABLE: &[TextColumn] = &[
    TextColumn::Mode,
    TextColumn::Time,
    TextColumn::Ordinal,
    TextColumn::Source,
    TextColumn::Node,
    TextColumn::Destination,
];

/// A column of a page.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cell {
    pub(super) column: TextColumn,
    pub(super) width: usize,
}

impl TextColumn {
    pub(super) fn properties(self) -> &'static Properties {
        &ALL[self as usize].1
    }

    /// Whether it has what a flagged line is flagged for.
    pub(super) const fn is_about_verdict(self) -> bool {
        matches!(self, Self::NatSource | Self::NatPort | Self::Cause)
    }

    /// How many of the columns that are left over it takes before the next column gets one: names are longer than addresses.
    const fn share(self) -> usize {
        if matches!(self, Self::Owner | Self::OwnerOrSource) { 2 } else { 1 }
    }
}

/// The columns that a person wants by default.
///
/// With several nodes, the node's name takes the place of the translated address, which is the node's own as a rule. Names
/// of pods take that place and that of the NAT mode, which is the same for most of a node's lines; with several nodes,
/// that of the original source where there is a name.
pub(super) const fn default(several_nodes: bool, names: bool) -> &'static [TextColumn] {
    use TextColumn::{Cause, Destination, Mode, NatPort, NatSource, Node, Ordinal, Owner, OwnerOrSource, Source, Time};
    match (several_nodes, names) {
        (false, false) => &[Time, Source, NatSource, Destination, Ordinal, Mode, Cause],
        (true, false) => &[Time, Node, Source, NatPort, Destination, Ordinal, Mode, Cause],
        (false, true) => &[Time, Source, NatPort, Owner, Destination, Ordinal, Cause],
        (true, true) => &[Time, Node, OwnerOrSource, NatPort, Destination, Ordinal, Cause],
    }
}

/// These columns, as wide as they usually are.
pub(super) fn unlimited(columns: &[TextColumn]) -> Vec<Cell> {
    columns.iter().map(|&column| Cell { column, width: column.properties().base }).collect()
}

/// These columns on a page of that width. Those of `default` may be replaced, left out where they do not fit, and joined by
/// others where there is room.
pub(super) fn fitted(columns: &[TextColumn], width: usize, is_default: bool) -> Vec<Cell> {
    let mut cells: Vec<Cell> = columns.iter().map(|&column| Cell { column, width: column.properties().min }).collect();
    if is_default {
        narrowed(&mut cells, width);
        if spare(&unlimited(columns), width) > TextColumn::Wait.properties().base {
            let at = cells.iter().position(|cell| cell.column == TextColumn::Ordinal).map_or(cells.len(), |at| at + 1);
            cells.insert(at, Cell { column: TextColumn::Wait, width: TextColumn::Wait.properties().base });
        }
    }
    grow(&mut cells, width, |properties| properties.base);
    grow(&mut cells, width, |properties| properties.max);
    // A time has its milliseconds, or whole seconds.
    cells.iter_mut().filter(|cell| cell.column == TextColumn::Time && cell.width < 12).for_each(|cell| cell.width = 8);
    cells
}

/// Leaves columns out until the others fit.
fn narrowed(cells: &mut Vec<Cell>, width: usize) {
    if total(cells) > width
        && let Some(cell) = cells.iter_mut().find(|cell| cell.column == TextColumn::NatSource)
    {
        *cell = Cell { column: TextColumn::NatPort, width: TextColumn::NatPort.properties().min };
    }
    let names = cells.iter().any(|cell| matches!(cell.column, TextColumn::Owner | TextColumn::OwnerOrSource));
    // A name says as much as the address that it has.
    let first = if names { TextColumn::Source } else { TextColumn::Mode };
    for dispensable in [first].iter().chain(DISPENSABLE) {
        if total(cells) > width {
            cells.retain(|cell| cell.column != *dispensable);
        }
    }
}

fn grow(cells: &mut [Cell], width: usize, to: impl Fn(&Properties) -> usize) {
    let mut left = spare(cells, width);
    let mut has_grown = true;
    while has_grown {
        has_grown = false;
        for cell in &mut *cells {
            let more = to(cell.column.properties()).saturating_sub(cell.width).min(cell.column.share()).min(left);
            cell.width += more;
            left -= more;
            has_grown |= more > 0;
        }
    }
}

fn total(cells: &[Cell]) -> usize {
    cells.iter().map(|cell| cell.width + 1).sum::<usize>().saturating_sub(1)
}

fn spare(cells: &[Cell], width: usize) -> usize {
    width.saturating_sub(total(cells))
}

/// The destination after NAT, where NAT changed it.
pub(super) fn backend(attempt: &Attempt) -> Option<tracer_common::Flow> {
    let (before, after) = attempt.original.zip(attempt.translated)?;
    ((before.dst_addr(), before.dst_port) != (after.dst_addr(), after.dst_port)).then_some(after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_is_at_the_place_of_its_number() {
        for (index, (column, properties)) in ALL.iter().enumerate() {
            assert_eq!(*column as usize, index, "{}", properties.id);
            assert!(properties.min <= properties.base && properties.base <= properties.max, "{}", properties.id);
        }
    }

    const SETS: [(bool, bool); 4] = [(false, false), (true, false), (false, true), (true, true)];

    #[test]
    fn columns_fill_a_page_of_120_and_fit_narrower_ones() {
        for (several_nodes, names) in SETS {
            let columns = default(several_nodes, names);
            let cells = fitted(columns, 120, true);
            assert_eq!(total(&cells), 120);
            assert!(cells.iter().zip(unlimited(columns)).all(|(fitted, base)| fitted.width == base.width));
            for width in 40..200 {
                assert!(total(&fitted(columns, width, true)) <= width, "{several_nodes} {names} {width}");
            }
        }
    }

    #[test]
    fn every_width_has_what_matters() {
        for (several_nodes, names) in SETS {
            for width in 20..200 {
                let cells = fitted(default(several_nodes, names), width, true);
                let has = |column| cells.iter().any(|cell| cell.column == column);
                assert!(has(TextColumn::Cause) && (has(TextColumn::NatPort) || has(TextColumn::NatSource)), "{width}");
                assert!(width < 60 || has(TextColumn::Destination), "{width}");
                assert!(width < 80 || has(TextColumn::Time) && has(TextColumn::Ordinal), "{width}");
            }
        }
    }

    #[test]
    fn room_is_given_to_names_and_to_the_time_since_the_first_syn() {
        let cells = fitted(default(false, true), 160, true);
        let width = |column| cells.iter().find(|cell| cell.column == column).map_or(0, |cell| cell.width);
        assert_eq!((width(TextColumn::Wait), total(&cells)), (7, 160));
        assert!(width(TextColumn::Owner) > 40, "{cells:?}");
    }

    #[test]
    fn columns_that_were_asked_for_stay() {
        let asked = &[TextColumn::Owner, TextColumn::Destination, TextColumn::Cause];
        assert_eq!(fitted(asked, 20, false).len(), 3);
    }
}
