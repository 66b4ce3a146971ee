//! `replay`: shows a trace as `tail` showed it live, or as it would have with another policy.

use std::io;
use std::path::PathBuf;

use anyhow::Result;
use clap::ValueHint;

use super::args::{FilterArgs, PacketArgs, RecordedPolicy, ViewArgs};
use super::{End, block_on_files, end};
use crate::join::Update;
use crate::notice::notice;
use crate::outputs::{self, escape::Escaped};
use crate::pipeline::{self, Judge};
use crate::source::{Ahead, Joined};
use crate::store::ReadReport;
use crate::summary::Summary;

/// Options of `replay`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Traces and packet captures, `-` for standard input; several are merged by time
    #[arg(required = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    policy: RecordedPolicy,
    /// Stop after this many findings
    #[arg(short, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    #[command(flatten)]
    view: ViewArgs,
    #[command(flatten)]
    packets: PacketArgs,
    #[command(flatten)]
    filter: FilterArgs,
}

/// Runs to the end of the traces.
pub fn run(args: &Args) -> Result<End> {
    let filter = args.filter.filter()?;
    let view = args.view.view(filter.clone());
    let traces = args.packets.open(&args.files, &[])?;
    let captures = args.policy.over(traces.captures());
    let output = outputs::open(&view, Box::new(io::stdout()));
    let nodes = captures.len();
    let judge = Judge::new(captures, view, args.count).with_output(output);
    let mut traces = Ahead::new(traces)?;
    let summary = if args.count.is_some() {
        // It may end long before the traces do, so they are not joined ahead.
        let summary =
            block_on_files(pipeline::run(Joined::new(&mut traces, nodes, |_, _| Ok(())).stepwise(true), judge))?;
        report_unread(traces.reports());
        summary?
    } else {
        run_ahead(traces.joined(nodes)?, judge)?
    };
    Ok(end(&summary, &filter, args.view.exit_code))
}

/// Judges all of the traces, and says on standard error what of them could not be read.
pub(super) fn run_ahead(mut updates: Ahead<(u32, Update)>, judge: Judge<'_>) -> Result<Summary> {
    let summary = block_on_files(pipeline::run(&mut updates, judge))?;
    report_unread(updates.reports());
    summary
}

pub(super) fn report_unread(reports: &[(PathBuf, ReadReport)]) {
    for (path, report) in reports.iter().filter(|(_, report)| report.has_notes()) {
        notice(format_args!("{}: {report}", Escaped(&path.display().to_string())));
    }
}
