//! `replay`: shows a trace as `tail` showed it live, or as it would have with another policy.

use std::io;
use std::path::PathBuf;

use anyhow::Result;
use clap::ValueHint;

use super::args::{FilterArgs, ViewArgs};
use super::{End, block_on, end, values};
use crate::join::Update;
use crate::model::{Origin, PolicyChange, PortSet};
use crate::notice::notice;
use crate::outputs::{self, escape::Escaped};
use crate::pipeline::{self, Judge};
use crate::source::{Ahead, Joined};
use crate::store::{Merged, ReadReport};
use crate::summary::Summary;

/// Options of `replay`. The policy comes from the trace or from here, never from the environment of this machine.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Traces, `-` for standard input; several are merged by time
    #[arg(required = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    files: Vec<PathBuf>,
    /// Judge by these allowed ports instead of the recorded ones: a range, a comma list, or `any`
    #[arg(long, value_name = "RANGES", value_parser = values::ports, allow_hyphen_values = true)]
    allow: Option<PortSet>,
    /// The same for IPv6 [default: as --allow]
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
    let nodes = captures.len();
    let judge = Judge::new(captures, view, args.count).with_output(output);
    let mut traces = Ahead::new(traces)?;
    let summary = if args.count.is_some() {
        // It may end long before the traces do, so they are not joined ahead.
        let summary = block_on(pipeline::run(Joined::new(&mut traces, nodes, None).stepwise(true), judge))?;
        report_unread(traces.reports());
        summary?
    } else {
        run_ahead(traces.joined(nodes)?, judge)?
    };
    Ok(end(&summary, args.view.exit_code))
}

/// Judges all of the traces, and says on standard error what of them could not be read.
pub(super) fn run_ahead(mut updates: Ahead<(u32, Update)>, judge: Judge<'_>) -> Result<Summary> {
    let summary = block_on(pipeline::run(&mut updates, judge))?;
    report_unread(updates.reports());
    summary
}

fn report_unread(reports: &[(PathBuf, ReadReport)]) {
    for (path, report) in reports.iter().filter(|(_, report)| !report.is_complete() || report.unfinished > 0) {
        notice(format_args!("{}: {report}", Escaped(&path.display().to_string())));
    }
}
