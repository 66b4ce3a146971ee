//! Apache Parquet with zstd. Rows wait until a row group is full, are sorted by the beginning of their attempts, and written.

use std::net::IpAddr;
use std::sync::Arc;

use anyhow::{Context, Result};
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use parquet::basic::{Compression, Encoding, LogicalType, Repetition, TimeUnit, Type as Physical, ZstdLevel};
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{ColumnPath, Type as Schema};

use super::columns::{AttemptRow, Column, ColumnType, Value};
use super::file::Target;
use super::{Columns, ExportFormat, TableWriter};

pub(super) const FORMAT: ExportFormat = ExportFormat {
    name: "parquet",
    about: "Apache Parquet with zstd",
    is_text: false,
    open: |columns, target| Ok(Box::new(Parquet::new(columns, target)?)),
};

/// Rows in a row group: some megabytes of compressed data, enough for an engine to skip or to give to one of its threads.
const ROW_GROUP_LEN: usize = 1 << 18;
/// More saves little: what is left is mostly random (ports, ISNs, times).
const LEVEL: i32 = 1;
const SORTED_BY: &str = "start_time";

struct Parquet {
    file: SerializedFileWriter<Target>,
    columns: Vec<(&'static Column, Values)>,
    sorted_by: usize,
    waiting: usize,
}

impl Parquet {
    fn new(columns: Columns, target: Target) -> Result<Self> {
        let sorted_by = columns.iter().position(|column| column.name == SORTED_BY).context("no column to sort by")?;
        let fields = columns.iter().map(|column| Ok(Arc::new(field(column)?))).collect::<Result<Vec<_>>>()?;
        let schema = Schema::group_type_builder("row").with_fields(fields).build()?;
        let file = SerializedFileWriter::new(target, Arc::new(schema), Arc::new(properties(&columns, sorted_by)?))?;
        let columns = columns.into_iter().map(|column| (column, Values::of(column.kind))).collect();
        Ok(Self { file, columns, sorted_by, waiting: 0 })
    }

    /// Numbers of the rows, in the order of their beginning.
    fn order(&self) -> Vec<u32> {
        let mut order: Vec<u32> = (0..self.waiting as u32).collect();
        if let Some((_, Values::Int64(times))) = self.columns.get(self.sorted_by) {
            order.sort_by_key(|&row| times.get(row as usize));
        }
        order
    }
}

impl TableWriter for Parquet {
    fn write(&mut self, row: &AttemptRow<'_>) -> Result<()> {
        for (column, values) in &mut self.columns {
            values.push((column.value)(row));
        }
        self.waiting += 1;
        if self.waiting >= ROW_GROUP_LEN { self.write_waiting() } else { Ok(()) }
    }

    fn waiting(&self) -> usize {
        self.waiting
    }

    fn write_waiting(&mut self) -> Result<()> {
        if self.waiting == 0 {
            return Ok(());
        }
        let order = self.order();
        let mut group = self.file.next_row_group()?;
        for (column, values) in &mut self.columns {
            let mut out = group.next_column()?.context("the schema has a column for each")?;
            values.write(&order, out.untyped())?;
            out.close()?;
            *values = Values::of(column.kind);
        }
        group.close()?;
        self.waiting = 0;
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        self.write_waiting()?;
        self.file.into_inner()?.finish()
    }
}

fn field(column: &Column) -> Result<Schema> {
    let (physical, logical) = match column.kind {
        ColumnType::Bool => (Physical::BOOLEAN, None),
        ColumnType::Int32 => (Physical::INT32, None),
        ColumnType::Int64 => (Physical::INT64, None),
        ColumnType::Text | ColumnType::Address => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        ColumnType::AddressBytes => (Physical::BYTE_ARRAY, None),
        // Spark reads no nanoseconds.
        ColumnType::Time => (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::MICROS))),
    };
    let field = Schema::primitive_type_builder(column.name, physical).with_logical_type(logical);
    Ok(field.with_repetition(Repetition::OPTIONAL).build()?)
}

fn properties(columns: &[&Column], sorted_by: usize) -> Result<WriterProperties> {
    let sorted_by = SortingColumn { column_idx: i32::try_from(sorted_by)?, descending: false, nulls_first: true };
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(LEVEL)?))
        .set_sorting_columns(Some(vec![sorted_by]));
    for column in columns {
        let path = ColumnPath::from(column.name);
        if column.kind == ColumnType::Time {
            properties = properties
                .set_column_dictionary_enabled(path.clone(), false)
                .set_column_encoding(path, Encoding::DELTA_BINARY_PACKED);
        } else if column.name == "isn" {
            properties = properties.set_column_dictionary_enabled(path, false);
        }
    }
    Ok(properties.build())
}

/// The values of a column that wait. What is unknown has a place too, with a value that no column has.
enum Values {
    Bool(Vec<u8>),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    /// Texts and addresses by their number: few of them come again and again.
    Bytes {
        rows: Vec<u32>,
        different: Vec<ByteArray>,
        texts: Numbers<Box<str>>,
        addresses: Numbers<IpAddr>,
        as_text: bool,
    },
}

type Numbers<K> = HashMap<K, u32, FixedState>;

const NO_BOOL: u8 = u8::MAX;
const NO_INT32: i32 = i32::MIN;
const NO_INT64: i64 = i64::MIN;
const NO_BYTES: u32 = u32::MAX;

impl Values {
    fn of(kind: ColumnType) -> Self {
        match kind {
            ColumnType::Bool => Self::Bool(Vec::new()),
            ColumnType::Int32 => Self::Int32(Vec::new()),
            ColumnType::Int64 | ColumnType::Time => Self::Int64(Vec::new()),
            ColumnType::Text | ColumnType::Address | ColumnType::AddressBytes => Self::Bytes {
                rows: Vec::new(),
                different: Vec::new(),
                texts: Numbers::default(),
                addresses: Numbers::default(),
                as_text: kind != ColumnType::AddressBytes,
            },
        }
    }

    fn push(&mut self, value: Option<Value<'_>>) {
        match self {
            Self::Bool(rows) => rows.push(if let Some(Value::Bool(is)) = value { is.into() } else { NO_BOOL }),
            Self::Int32(rows) => {
                // Counts of a damaged trace may be any.
                rows.push(if let Some(Value::Int(of)) = value {
                    i32::try_from(of).unwrap_or(i32::MAX)
                } else {
                    NO_INT32
                });
            }
            Self::Int64(rows) => {
                rows.push(if let Some(Value::Int(of) | Value::Time(of)) = value { of } else { NO_INT64 });
            }
            Self::Bytes { rows, different, texts, addresses, as_text } => {
                let mut number = |bytes: ByteArray| {
                    different.push(bytes);
                    different.len() as u32 - 1
                };
                rows.push(match value {
                    Some(Value::Text(text)) => match texts.get(&*text) {
                        Some(known) => *known,
                        None => *texts.entry(text.as_ref().into()).or_insert(number(text.as_bytes().to_vec().into())),
                    },
                    Some(Value::Address(address)) => {
                        *addresses.entry(address).or_insert_with(|| number(address_bytes(address, *as_text)))
                    }
                    Some(Value::Bool(_) | Value::Int(_) | Value::Time(_)) | None => NO_BYTES,
                });
            }
        }
    }

    fn write(&self, order: &[u32], column: &mut ColumnWriter<'_>) -> Result<()> {
        match (self, column) {
            (Self::Bool(rows), ColumnWriter::BoolColumnWriter(column)) => {
                let (levels, values) = known(order, rows, |&row| (row != NO_BOOL).then_some(row != 0));
                column.write_batch(&values, Some(&levels), None)?;
            }
            (Self::Int32(rows), ColumnWriter::Int32ColumnWriter(column)) => {
                let (levels, values) = known(order, rows, |&row| (row != NO_INT32).then_some(row));
                column.write_batch(&values, Some(&levels), None)?;
            }
            (Self::Int64(rows), ColumnWriter::Int64ColumnWriter(column)) => {
                let (levels, values) = known(order, rows, |&row| (row != NO_INT64).then_some(row));
                column.write_batch(&values, Some(&levels), None)?;
            }
            (Self::Bytes { rows, different, .. }, ColumnWriter::ByteArrayColumnWriter(column)) => {
                let (levels, values) = known(order, rows, |&row| different.get(row as usize).cloned());
                column.write_batch(&values, Some(&levels), None)?;
            }
            (Self::Bool(_) | Self::Int32(_) | Self::Int64(_) | Self::Bytes { .. }, _) => {
                anyhow::bail!("a column has another type than the schema has");
            }
        }
        Ok(())
    }
}

/// Which rows have a value, as definition levels, and the values of those that do.
fn known<T, V>(order: &[u32], rows: &[T], value: impl Fn(&T) -> Option<V>) -> (Vec<i16>, Vec<V>) {
    let mut levels = Vec::with_capacity(order.len());
    let mut values = Vec::with_capacity(order.len());
    for &row in order {
        let value = rows.get(row as usize).and_then(&value);
        levels.push(value.is_some().into());
        values.extend(value);
    }
    (levels, values)
}

fn address_bytes(address: IpAddr, as_text: bool) -> ByteArray {
    match address {
        _ if as_text => address.to_string().into_bytes().into(),
        IpAddr::V4(address) => address.octets().to_vec().into(),
        IpAddr::V6(address) => address.octets().to_vec().into(),
    }
}
