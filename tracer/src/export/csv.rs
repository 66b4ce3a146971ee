//! CSV as RFC 4180 has it: a line of names, then a line a row. What is unknown is empty.

use anyhow::Result;

use super::columns::{AttemptRow, Value};
use super::file::Target;
use super::{Columns, ExportFormat, TableWriter, as_text, rfc3339};
use crate::outputs::escape::Escaped;

pub(super) const FORMAT: ExportFormat = ExportFormat {
    name: "csv",
    about: "comma-separated values with a header line",
    is_text: true,
    open: |columns, target| Ok(Box::new(Csv::new(columns, target)?)),
};

struct Csv {
    columns: Columns,
    out: csv::Writer<Target>,
}

impl Csv {
    fn new(columns: Columns, target: Target) -> Result<Self> {
        let columns = as_text(columns);
        let mut out = csv::WriterBuilder::new().buffer_capacity(1 << 10).from_writer(target);
        out.write_record(columns.iter().map(|column| column.name))?;
        Ok(Self { columns, out })
    }
}

impl TableWriter for Csv {
    fn write(&mut self, row: &AttemptRow<'_>) -> Result<()> {
        for column in &self.columns {
            match (column.value)(row) {
                None => self.out.write_field("")?,
                Some(Value::Bool(is)) => self.out.write_field(if is { "true" } else { "false" })?,
                Some(Value::Int(number)) => self.out.write_field(itoa::Buffer::new().format(number))?,
                Some(Value::Text(text)) => self.out.write_field(Escaped(&text).to_string())?,
                Some(Value::Address(address)) => self.out.write_field(address.to_string())?,
                Some(Value::Time(unix_us)) => self.out.write_field(rfc3339(unix_us))?,
            }
        }
        Ok(self.out.write_record(None::<&[u8]>)?)
    }

    fn finish(self: Box<Self>) -> Result<()> {
        let target = self.out.into_inner().map_err(csv::IntoInnerError::into_error)?;
        target.finish()
    }
}
