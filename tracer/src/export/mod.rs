//! Attempts and SYN retransmits as tables for other tools: one row each, one format a file.
//!
//! `pcapng` has packets in place of rows.
//!
//! To add a format: a file here, a line in `ALL`. To add a column: a line in `columns::ALL`, its row in docs/columns.md.

pub mod columns;
mod csv;
mod exporter;
mod file;
mod jsonl;
#[cfg(feature = "parquet")]
mod parquet;
mod partition;
mod pcapng;

use std::path::{Path, PathBuf};

use anyhow::Result;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

pub use exporter::{ExportOptions, Exporter};
pub use partition::Key;
pub use pcapng::Packets;

use columns::{AttemptRow, Column, ColumnType};
use file::Target;

/// What there is a row of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ExportTable {
    /// Connection attempts that have ended.
    Attempts,
    /// SYN retransmits.
    Retransmits,
}

impl ExportTable {
    /// The word in paths.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Attempts => "attempts",
            Self::Retransmits => "retransmits",
        }
    }

    /// The file of the table: attempts go to the file that was named, retransmits to one beside it. `None` for standard output,
    /// which holds attempts alone.
    pub fn path(self, given: &Path) -> Option<PathBuf> {
        match self {
            Self::Attempts => Some(given.to_owned()),
            Self::Retransmits if given.as_os_str() == crate::store::STDIO => None,
            Self::Retransmits => {
                let mut name = given.file_stem()?.to_owned();
                name.push("-retransmits");
                Some(given.with_file_name(name).with_added_extension(given.extension().unwrap_or_default()))
            }
        }
    }
}

type Columns = Vec<&'static Column>;

trait TableWriter {
    fn write(&mut self, row: &AttemptRow<'_>) -> Result<()>;

    fn waiting(&self) -> usize {
        0
    }

    fn write_waiting(&mut self) -> Result<()> {
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<()>;
}

#[derive(Debug)]
pub struct ExportFormat {
    /// The word after `-o`, and the ending of partitioned files.
    pub name: &'static str,
    /// What it is, for `--help`.
    pub about: &'static str,
    is_text: bool,
    open: fn(Columns, Target) -> Result<Box<dyn TableWriter>>,
}

pub const ALL: &[ExportFormat] = &[
    csv::FORMAT,
    jsonl::FORMAT,
    #[cfg(feature = "parquet")]
    parquet::FORMAT,
];

/// The JSON Schemas of the rows of both tables.
pub fn schemas() -> [(&'static str, Value); 2] {
    [ExportTable::Attempts, ExportTable::Retransmits].map(|table| {
        let columns = as_text(columns::of(table, &[]));
        let schema = |column: &Column| {
            let kind = match column.kind {
                ColumnType::Bool => "boolean",
                ColumnType::Int32 | ColumnType::Int64 => "integer",
                ColumnType::Text | ColumnType::Address | ColumnType::AddressBytes | ColumnType::Time => "string",
            };
            json!({ "type": [kind, "null"], "description": column.about })
        };
        let properties: Map<String, Value> =
            columns.iter().map(|column| (column.name.to_owned(), schema(column))).collect();
        // The path of a partition has some of the columns.
        let required: Vec<_> = columns.iter().map(|column| column.name).filter(|name| *name != "node").collect();
        (table.name(), json!({ "type": "object", "properties": properties, "required": required }))
    })
}

/// The columns that text can have.
fn as_text(mut columns: Columns) -> Columns {
    columns.retain(|column| column.kind != ColumnType::AddressBytes);
    columns
}

/// RFC 3339 in UTC with microseconds.
fn rfc3339(unix_us: i64) -> String {
    Timestamp::from_microsecond(unix_us).map(|time| format!("{time:.6}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retransmits_go_beside_the_attempts() {
        let path = |given: &str| ExportTable::Retransmits.path(Path::new(given));
        assert_eq!(path("out/node7.csv"), Some(PathBuf::from("out/node7-retransmits.csv")));
        assert_eq!(path("node7"), Some(PathBuf::from("node7-retransmits")));
        assert_eq!(path("-"), None);
    }

    #[test]
    fn a_time_has_six_digits_whatever_it_is() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000000Z");
        assert_eq!(rfc3339(1_772_323_200_123_456), "2026-03-01T00:00:00.123456Z");
    }
}
