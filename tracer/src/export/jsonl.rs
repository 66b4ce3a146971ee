//! One JSON object a row, with the names of the columns. What is unknown is null.

use anyhow::Result;
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::columns::{AttemptRow, Column, Value};
use super::file::Target;
use super::{Columns, ExportFormat, TableWriter, as_text, rfc3339};
use crate::outputs::json_line::write_line;

pub(super) const FORMAT: ExportFormat = ExportFormat {
    name: "jsonl",
    about: "one JSON object per line",
    is_text: true,
    open: |columns, out| Ok(Box::new(JsonLines { columns: as_text(columns), out })),
};

struct JsonLines {
    columns: Columns,
    out: Target,
}

impl TableWriter for JsonLines {
    fn write(&mut self, row: &AttemptRow<'_>) -> Result<()> {
        Ok(write_line(&mut self.out, &Object(&self.columns, row))?)
    }

    fn finish(self: Box<Self>) -> Result<()> {
        self.out.finish()
    }
}

struct Object<'a>(&'a [&'static Column], &'a AttemptRow<'a>);

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(columns, row) = self;
        let mut object = serializer.serialize_map(Some(columns.len()))?;
        for column in *columns {
            let name = column.name;
            match (column.value)(row) {
                None => object.serialize_entry(name, &None::<bool>)?,
                Some(Value::Bool(is)) => object.serialize_entry(name, &is)?,
                Some(Value::Int(number)) => object.serialize_entry(name, &number)?,
                Some(Value::Text(text)) => object.serialize_entry(name, &text)?,
                Some(Value::Address(address)) => object.serialize_entry(name, &address)?,
                Some(Value::Time(unix_us)) => object.serialize_entry(name, &rfc3339(unix_us))?,
            }
        }
        object.end()
    }
}
