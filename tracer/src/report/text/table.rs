//! A table in columns.

use std::fmt::{self, Write};

use anstyle::Style;

use super::{PAGE, Styles, heading, paragraph};
use crate::report::tables::{COLUMNS, Row, Table};

const NUMBER: usize = 10;
const LABEL: usize = PAGE - COLUMNS.len() * (NUMBER + 1);
/// The rest is a space.
const MOST: usize = LABEL - 1;

pub(super) fn table(out: &mut String, table: &Table, styles: Styles) -> fmt::Result {
    heading(out, styles, table.title)?;
    line(out, &table.label.to_uppercase(), |index| COLUMNS[index].name.to_uppercase(), styles.heading)?;
    for row in table.rows.iter().chain(&table.others) {
        counts(out, row)?;
    }
    table.notes.iter().for_each(|note| paragraph(out, note));
    Ok(())
}

fn counts(out: &mut String, row: &Row) -> fmt::Result {
    line(out, &fitting(&row.label), |index| (COLUMNS[index].short)(&row.counts), Style::new())
}

fn line(out: &mut String, label: &str, number: impl Fn(usize) -> String, style: Style) -> fmt::Result {
    write!(out, "{style}{label:<LABEL$.MOST$}")?;
    for index in 0..COLUMNS.len() {
        write!(out, " {:>NUMBER$}", number(index))?;
    }
    writeln!(out, "{style:#}")
}

/// A long address loses its middle, both ends tell more.
fn fitting(label: &str) -> String {
    if label.len() <= MOST || !label.is_ascii() {
        return label.to_owned();
    }
    let tail = MOST / 2;
    format!("{}…{}", &label[..MOST - tail - 1], &label[label.len() - tail..])
}
