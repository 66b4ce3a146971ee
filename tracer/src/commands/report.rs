//! `report`: summarises every attempt in traces, as text and as a page for a browser.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::ValueHint;
use indicatif::{ProgressBar, ProgressStyle};

use super::args::{FilterArgs, RecordedPolicy};
use super::{End, block_on, machine, wrong_usage};
use crate::join::Update;
use crate::notice::notice;
use crate::outputs::View;
use crate::outputs::escape::Escaped;
use crate::pipeline::{self, Judge};
use crate::report::{self, Report, TallyObserver};
use crate::source::{Ahead, Source};
use crate::store::{self, Merged};

/// Options of `report`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Traces, `-` for standard input; several are merged by time
    #[arg(required = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    files: Vec<PathBuf>,
    /// Also write the report as an HTML page; an existing file is overwritten
    #[arg(long, value_name = "OUT", value_hint = ValueHint::FilePath)]
    html: Option<PathBuf>,
    #[command(flatten)]
    policy: RecordedPolicy,
    /// Show times in UTC
    #[arg(long)]
    utc: bool,
    #[command(flatten)]
    filter: FilterArgs,
}

/// Reads the traces to their end, then writes.
pub fn run(args: &Args) -> Result<End> {
    let filter = args.filter.filter()?;
    let traces = Merged::open(&args.files)?;
    let mut page = args.html.as_deref().map(|path| create(path, &args.files)).transpose()?;
    let captures = args.policy.over(traces.captures());

    let mut observer = TallyObserver::new(&captures);
    let judge = Judge::new(captures.clone(), View::silent(filter), None).with_observer(&mut observer);
    let mut updates = WithProgress { bar: progress(&args.files), updates: Ahead::new(traces)?.joined(captures.len())? };
    let summary = block_on(pipeline::run(&mut updates, judge))?;
    updates.bar.finish_and_clear();
    let summary = summary?;

    let report = Report {
        files: &args.files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>(),
        captures: &captures,
        summary: &summary,
        tally: observer.tally(),
        read: updates.updates.report(),
        inference: &summary.infer.conclusions(),
        utc: args.utc,
    };
    let text = report::text::render(&report, machine::wants_colour())?;
    io::stdout().write_all(text.as_bytes()).context("standard output")?;
    if let (Some(file), Some(path)) = (&mut page, &args.html) {
        let html = report::html::render(&report)?;
        file.write_all(html.as_bytes()).with_context(|| format!("cannot write {}", path.display()))?;
        notice(format_args!("wrote {}", Escaped(&path.display().to_string())));
    }
    Ok(End::Done)
}

/// Early, so that a mistake is reported before a long trace is read; but never over one of the traces.
fn create(path: &Path, traces: &[PathBuf]) -> Result<fs::File> {
    if path.as_os_str() == store::STDIO {
        let problem = "--html: the text goes to standard output: name a file";
        return Err(wrong_usage(problem).into());
    }
    // Also through a link of either kind.
    let file = |path: &Path| fs::metadata(path).ok().map(|of| (of.dev(), of.ino()));
    let own = file(path);
    if own.is_some() && traces.iter().any(|trace| file(trace) == own) {
        let problem =
            format!("--html: {} is one of the traces: name another file", Escaped(&path.display().to_string()));
        return Err(wrong_usage(problem).into());
    }
    Ok(store::create(path)?)
}

/// Bytes read of all files; hidden unless standard error is a terminal.
fn progress(files: &[PathBuf]) -> ProgressBar {
    let sizes: Option<Vec<u64>> = files.iter().map(|file| fs::metadata(file).ok()).map(|of| Some(of?.len())).collect();
    let Some(sizes) = sizes else { return ProgressBar::no_length() };
    let style = ProgressStyle::with_template("{bar:40} {percent:>3} %  {bytes} of {total_bytes}, {eta} left");
    ProgressBar::new(sizes.iter().sum()).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// Updates of traces, with a bar that shows how much of the traces was read.
struct WithProgress {
    bar: ProgressBar,
    updates: Ahead<(u32, Update)>,
}

impl Source for WithProgress {
    type Item = (u32, Update);

    async fn next(&mut self, batch: &mut Vec<(u32, Update)>) -> Result<bool> {
        self.bar.set_position(self.updates.position());
        self.updates.next(batch).await
    }

    fn stop(&mut self) {
        self.updates.stop();
    }
}
