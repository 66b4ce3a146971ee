//! `replay`: shows a trace as `tail` showed it live, or as it would have with another policy.

use std::io;
use std::path::PathBuf;

use anyhow::Result;
use clap::ValueHint;

use super::args::{FilterArgs, ViewArgs};
use super::{End, block_on, end, values};
use crate::model::{Origin, PolicyChange, PortSet};
use crate::notice::notice;
use crate::outputs::{self, escape::Escaped};
use crate::pipeline::{self, Pipeline};
use crate::source::{Ahead, Source};
use crate::store::Merged;

/// Options of `replay`. The policy comes from the trace or from here, never from the environment of this machine.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Traces, `-` for standard input; several are merged by time
    #[arg(required = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    files: Vec<PathBuf>,
    /// Judge with these allowed ports instead of the recorded ones: a range, a comma list, or `any`
    #[arg(long, value_name = "RANGES", value_parser = values::ports, allow_hyphen_values = true)]
    allow: Option<PortSet>,
    /// The same for IPv6 where it differs
    #[arg(long, value_name = "RANGES", value_parser = values::ports, allow_hyphen_values = true)]
    allow6: Option<PortSet>,
    /// Stop after this many lines
    #[arg(short, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    #[command(flatten)]
    view: ViewArgs,
    #[command(flatten)]
    filter: FilterArgs,
}

/// Runs to the end of the traces.
pub fn run(args: &Args) -> Result<End> {
    let change =
        PolicyChange { allow: args.allow.clone().map(|ports| (ports, Origin::Given)), allow6: args.allow6.clone() };
    let view = args.view.view(args.filter.filter()?)?;
    let traces = Merged::open(&args.files)?;
    let mut captures = traces.captures().to_vec();
    for capture in &mut captures {
        capture.policy = change.over(&capture.policy);
    }
    let output = outputs::open(&view, Box::new(io::stdout()));
    let pipeline = Pipeline::new(captures, view, args.count, output);
    let traces = Ahead::new(traces)?;
    let summary = match args.count {
        // It may end long before the traces do.
        Some(_) => block_on(pipeline::run(Reported(traces), &mut None, pipeline))??,
        None => block_on(pipeline::run_ahead(traces, Reported, pipeline))??,
    };
    Ok(end(&summary, args.view.exit_code))
}

/// Traces that say on stderr what of them could not be read.
pub(super) struct Reported<T>(pub(super) Ahead<T>);

impl<T> Source for Reported<T> {
    type Item = T;

    async fn next(&mut self, batch: &mut Vec<T>) -> Result<bool> {
        self.0.next(batch).await
    }
}

impl<T> Drop for Reported<T> {
    fn drop(&mut self) {
        for (path, report) in self.0.reports() {
            if !report.is_complete() || report.unfinished > 0 {
                notice(format_args!("{}: {report}", Escaped(&path.display().to_string())));
            }
        }
    }
}
