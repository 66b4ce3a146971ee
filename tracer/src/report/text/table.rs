//! A table in columns.

use std::fmt::{self, Write};

use anstyle::Style;

use super::{PAGE, Styles, heading, paragraph};
use crate::report::tables::{COLUMNS, ReportTable, Row};

const NUMBER: usize = 10;
const LABEL: usize = PAGE - COLUMNS.len() * (NUMBER + 1);
/// The rest is a space.
const MAX_LABEL_LEN: usize = LABEL - 1;

pub(super) fn table(out: &mut String, table: &ReportTable, styles: Styles) -> fmt::Result {
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
    write!(out, "{style}{label:<LABEL$.MAX_LABEL_LEN$}")?;
    for index in 0..COLUMNS.len() {
        write!(out, " {:>NUMBER$}", number(index))?;
    }
    writeln!(out, "{style:#}")
}

/// A long address loses its middle: both ends distinguish it better.
fn fitting(label: &str) -> String {
    if label.len() <= MAX_LABEL_LEN || !label.is_ascii() {
        return label.to_owned();
    }
    let tail = MAX_LABEL_LEN / 2;
    format!("{}…{}", &label[..MAX_LABEL_LEN - tail - 1], &label[label.len() - tail..])
}
