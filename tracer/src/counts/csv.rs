//! Counts as CSV with a line of names.

use std::io::Read;

use anyhow::Result;

use super::{Table, places};

pub(super) fn read(input: impl Read, table: &mut Table) -> Result<()> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(input);
    let places = places(reader.headers()?.iter())?;
    let mut record = csv::StringRecord::new();
    while reader.read_record(&mut record)? {
        table.row(places.map(|place| record.get(place?).filter(|text| !text.is_empty())))?;
    }
    Ok(())
}
