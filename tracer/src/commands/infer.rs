//! `infer`: which translated ports the path lets through, from the answered and unanswered attempts of traces.

use std::io;
use std::path::PathBuf;

use anyhow::Result;
use clap::ValueHint;

use super::End;
use super::args::FilterArgs;
use super::replay::run_ahead;
use crate::outputs::{Nothing, View, inference};
use crate::pipeline::Judge;
use crate::source::Ahead;
use crate::store::Merged;

/// Options of `infer`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Traces of nodes behind the same filter, `-` for standard input
    #[arg(required = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    files: Vec<PathBuf>,
    /// How to show the conclusion
    #[arg(short, long, value_name = "FORMAT", value_parser = ["text", "json"], default_value = "text")]
    output: String,
    #[command(flatten)]
    filter: FilterArgs,
}

/// Runs to the end of the traces, then concludes.
pub fn run(args: &Args) -> Result<End> {
    let filter = args.filter.filter()?;
    let traces = Merged::open(&args.files)?;
    let captures = traces.captures().to_vec();
    let updates = Ahead::new(traces)?.joined(captures.len())?;
    let summary = run_ahead(updates, Judge::new(captures, View::of_nothing(filter), None, Box::new(Nothing)))?;
    inference::write(&summary, args.output == "json", Box::new(io::stdout()))?;
    Ok(End::Done)
}
