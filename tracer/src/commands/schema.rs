//! `schema`: the JSON Schema of every kind of line, derived from the types that are written.

use std::io::{self, Write};

use anyhow::Result;
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use super::{End, doctor};
use crate::{export, outputs, report};

/// Options of `schema`.
#[derive(clap::Args, Debug)]
pub struct Args {}

/// Prints the schema.
pub fn run(_: &Args) -> Result<End> {
    let mut out = io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, &schema()).map_err(io::Error::from)?;
    out.write_all(b"\n")?;
    Ok(End::Done)
}

/// One of the kinds of line, or a row of `export -o jsonl`.
pub fn schema() -> Value {
    let mut generator: SchemaGenerator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    let mut lines = outputs::schemas(&mut generator).to_vec();
    lines.push(generator.subschema_for::<report::json::ReportLine>());
    lines.push(generator.subschema_for::<doctor::Findings<'_>>());
    let mut definitions = generator.take_definitions(true);
    let mut any_of: Vec<Value> = lines.into_iter().map(Value::from).collect();
    for (name, row) in export::schemas() {
        definitions.insert(name.to_owned(), row);
        any_of.push(json!({ "$ref": format!("#/$defs/{name}") }));
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A line of JSON that snatrace writes",
        "description": "Fields are added, never renamed or removed: docs/json.md and docs/columns.md say what they mean.",
        "anyOf": any_of,
        "$defs": definitions,
    })
}
