//! Counts as Parquet.

use std::fs::File;

use anyhow::Result;
use parquet::file::reader::{FileReader, SerializedFileReader};

use super::{Table, places};

pub(super) fn read(file: File, table: &mut Table) -> Result<()> {
    let reader = SerializedFileReader::new(file)?;
    let fields: Vec<String> =
        reader.metadata().file_metadata().schema().get_fields().iter().map(|field| field.name().to_owned()).collect();
    let places = places(fields.iter().map(String::as_str))?;
    for row in reader.get_row_iter(None)? {
        let texts: Vec<String> = row?.get_column_iter().map(|(_, field)| field.to_string()).collect();
        // The text of a field is that of JSON.
        let text = |place: usize| Some(texts.get(place)?.trim_matches('"')).filter(|text| *text != "null");
        table.row(places.map(|place| text(place?)))?;
    }
    Ok(())
}
