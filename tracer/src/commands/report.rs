//! `report`: summarises every attempt in traces, as text and as a page for a browser.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::ValueHint;

use super::args::{FilterArgs, PacketArgs, RecordedPolicy};
use super::progress::WithProgress;
use super::values::TextOrJson;
use super::{End, block_on_files, machine, wrong_usage};
use crate::model::Filter;
use crate::notice::notice;
use crate::outputs::escape::Escaped;
use crate::outputs::{self, View};
use crate::pipeline::{self, Judge};
use crate::report::{self, Report, TallyObserver};
use crate::source::Ahead;
use crate::store;

/// Options of `report`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Traces and packet captures, `-` for standard input; several are merged by time
    #[arg(required = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    files: Vec<PathBuf>,
    /// Output format
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    output: TextOrJson,
    /// Also write the report as an HTML page; an existing file is overwritten
    #[arg(long, value_name = "OUT", value_hint = ValueHint::FilePath)]
    html: Option<PathBuf>,
    #[command(flatten)]
    policy: RecordedPolicy,
    /// Show times in UTC
    #[arg(long)]
    utc: bool,
    #[command(flatten)]
    packets: PacketArgs,
    #[command(flatten)]
    filter: FilterArgs,
}

/// Reads the traces to their end, then writes.
pub fn run(args: &Args) -> Result<End> {
    let filter = args.filter.filter()?;
    let mut page = args.html.as_deref().map(|path| create(path, &args.files)).transpose()?.flatten();
    let traces = args.packets.open(&args.files, &[])?;
    let captures = args.policy.over(traces.captures());

    let mut observer = TallyObserver::new(&captures);
    let judge = Judge::new(captures.clone(), View::silent(filter), None).with_observer(&mut observer);
    let mut updates = WithProgress::new(&args.files, Ahead::new(traces)?.joined(captures.len())?);
    let summary = block_on_files(pipeline::run(&mut updates, judge))?;
    updates.finish();
    let summary = summary?;

    let report = Report {
        files: &args.files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>(),
        captures: &captures,
        summary: &summary,
        tally: observer.tally(),
        read: updates.updates.report(),
        inference: &summary.conclusions(),
        utc: args.utc,
    };
    match args.output {
        TextOrJson::Text => {
            let text = report::text::render(&report, machine::wants_colour())?;
            io::stdout().write_all(text.as_bytes()).context("standard output")?;
        }
        TextOrJson::Json => json(&report, args.utc)?,
    }
    if let (Some(file), Some(path)) = (&mut page, &args.html) {
        let html = report::html::render(&report)?;
        replace(file, html.as_bytes()).with_context(|| format!("cannot write {}", path.display()))?;
        notice(format_args!("wrote {}", Escaped(&path.display().to_string())));
    }
    Ok(End::Done)
}

/// What `replay -o json` begins and ends with, and the counts between.
fn json(report: &Report<'_>, utc: bool) -> Result<()> {
    let view = View { format: &outputs::JSON, utc, ..View::silent(Filter::default()) };
    let mut output = outputs::open(&view, Box::new(io::stdout()));
    output.start(&report.captures.iter().collect::<Vec<_>>())?;
    output.flush()?;
    report::json::write(report, &mut io::stdout().lock())?;
    Ok(output.finish(report.summary)?)
}

/// Before the sandbox, and so that a mistake is reported before a long trace is read; but never over one of the traces, and not
/// where one of them is missing. What an existing page holds stays until there is a new one.
fn create(path: &Path, traces: &[PathBuf]) -> Result<Option<fs::File>> {
    if path.as_os_str() == store::STDIO {
        let problem = "--html: the text goes to standard output: name a file";
        return Err(wrong_usage(problem).into());
    }
    spare(traces, "--html", path)?;
    let is_there =
        |trace: &PathBuf| trace.as_os_str() == store::STDIO || fs::metadata(trace).is_ok_and(|of| !of.is_dir());
    Ok(traces.iter().all(is_there).then(|| store::create_later(path)).transpose()?)
}

fn replace(file: &mut fs::File, contents: &[u8]) -> io::Result<()> {
    if file.metadata()?.is_file() {
        file.set_len(0)?;
    }
    file.write_all(contents)
}

/// Nothing is written over one of the traces, also through a link of either kind.
pub(super) fn spare(traces: &[PathBuf], option: &str, path: &Path) -> Result<(), clap::Error> {
    let file = |path: &Path| fs::metadata(path).ok().map(|of| (of.dev(), of.ino()));
    let own = file(path);
    if own.is_some() && traces.iter().any(|trace| file(trace) == own) {
        let name = path.display().to_string();
        return Err(wrong_usage(format_args!("{option}: {} is one of the traces: name another file", Escaped(&name))));
    }
    Ok(())
}
