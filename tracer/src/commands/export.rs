//! `export`: the attempts and SYN retransmits of traces as tables for other tools.

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::ValueHint;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use tracer_common::Event;

use super::args::{FilterArgs, PacketArgs, RecordedPolicy};
use super::progress::WithProgress;
use super::replay::report_unread;
use super::report::spare;
use super::{End, block_on_files, wrong_usage};
use crate::export::{self, ExportOptions, ExportTable, Exporter, Key, Packets};
use crate::model::plural;
use crate::notice::notice;
use crate::outputs::View;
use crate::pipeline::{self, Judge};
use crate::source::{Ahead, Joined};
use crate::store::STDIO;

const PCAPNG: &str = "pcapng";

/// Options of `export`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Traces and packet captures, `-` for standard input; several are merged by time
    #[arg(required = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    files: Vec<PathBuf>,
    /// Output format
    #[arg(short, long, value_name = "FORMAT", value_parser = formats())]
    output: String,
    /// File for the attempts; SYN retransmits go to NAME-retransmits beside it. `-` writes the attempts to standard output. An
    /// existing file is replaced once the new one is complete. With --partition-by, the directory
    #[arg(short, long, value_name = "OUT", value_hint = ValueHint::AnyPath)]
    write: PathBuf,
    /// Export every attempt and SYN retransmit, not only flagged ones
    #[arg(long)]
    all: bool,
    /// Divide files by these columns, as a Hive layout: OUT/attempts/node=NODE/hour=YYYYMMDDHH/
    #[arg(long, value_name = "COLUMNS", value_enum, value_delimiter = ',')]
    partition_by: Vec<Key>,
    /// Value of the column `cluster`
    #[arg(long, value_name = "NAME")]
    cluster: Option<String>,
    #[command(flatten)]
    policy: RecordedPolicy,
    #[command(flatten)]
    packets: PacketArgs,
    #[command(flatten)]
    filter: FilterArgs,
}

fn formats() -> impl TypedValueParser<Value = String> {
    let tables = export::ALL.iter().map(|format| PossibleValue::new(format.name).help(format.about));
    let packets = PossibleValue::new(PCAPNG)
        .help("the packets that hooks saw, rebuilt, with verdicts as comments, for Wireshark");
    PossibleValuesParser::new(tables.chain([packets]))
}

/// Reads the traces to their end.
pub fn run(args: &Args) -> Result<End> {
    if args.output == PCAPNG { packets(args) } else { tables(args) }
}

/// Packets are rebuilt from events, and a verdict follows from all events of an attempt: both are read at once.
fn packets(args: &Args) -> Result<End> {
    if !args.partition_by.is_empty() || args.cluster.is_some() {
        return Err(wrong_usage("-o pcapng: packets have no columns: omit --partition-by and --cluster").into());
    }
    if args.write.is_dir() {
        return Err(wrong_usage("-w names a directory: name a file").into());
    }
    spare(&args.files, "-w", &args.write)?;
    let filter = args.filter.filter()?;
    let traces = args.packets.open(&args.files, &output_directory(args))?;
    let captures = args.policy.over(traces.captures());
    let nodes = captures.len();
    let packets = RefCell::new(Packets::new(&args.write, &captures, args.all)?);
    let view = View { all: args.all, ..View::silent(filter) };
    let (mut traces, mut observer) = (Ahead::new(traces)?, &packets);
    let see = |node, event: &Event| {
        packets.borrow_mut().event(node, event);
        Ok(())
    };
    let judge = Judge::new(captures, view, None).with_observer(&mut observer);
    let result = block_on_files(pipeline::run(Joined::new(&mut traces, nodes, see), judge))?;
    report_unread(traces.reports());
    result?;
    let written = packets.into_inner().finish()?;
    notice(format_args!("exported {}", plural(written.packets, "packet")));
    if written.given_up > 0 {
        let given_up = plural(written.given_up, "packet");
        notice(format_args!("{given_up} left out: too many attempts were under way at once"));
    }
    Ok(End::Done)
}

fn tables(args: &Args) -> Result<End> {
    let options = options(args)?;
    let filter = args.filter.filter()?;
    let traces = args.packets.open(&args.files, &output_directory(args))?;
    let captures = args.policy.over(traces.captures());
    let mut exporter = Exporter::new(options, &captures)?;
    let view = View { all: args.all, ..View::silent(filter) };
    let mut updates = WithProgress::new(&args.files, Ahead::new(traces)?.joined(captures.len())?);
    let result =
        block_on_files(pipeline::run(&mut updates, Judge::new(captures, view, None).with_observer(&mut exporter)))?;
    updates.finish();
    report_unread(updates.updates.reports());
    result?;
    let ([attempts, retransmits], files) = exporter.finish()?;
    let (attempts, retransmits) = (plural(attempts, "attempt"), plural(retransmits, "SYN retransmit"));
    notice(format_args!("exported {attempts} and {retransmits} to {}", plural(files, "file")));
    Ok(End::Done)
}

/// Where files are made: nowhere with standard output; else the nearest directory that exists.
fn output_directory(args: &Args) -> Vec<&Path> {
    let is_file = args.partition_by.is_empty();
    let is_stdout = args.write.as_os_str() == STDIO;
    let named = args.write.ancestors().skip(usize::from(is_file)).filter(|_| !is_stdout);
    named
        .map(|path| if path.as_os_str().is_empty() { Path::new(".") } else { path })
        .find(|path| path.is_dir())
        .into_iter()
        .collect()
}

fn options(args: &Args) -> Result<ExportOptions> {
    let is_directory = !args.partition_by.is_empty();
    let problem = if is_directory && args.write.as_os_str() == STDIO {
        "--partition-by: standard output cannot be divided into files: name a directory"
    } else if is_directory && fs::metadata(&args.write).is_ok_and(|of| !of.is_dir()) {
        "--partition-by: -w names a file: name a directory"
    } else if !is_directory && args.write.is_dir() {
        "-w names a directory: name a file, or divide by --partition-by"
    } else {
        ""
    };
    if !problem.is_empty() {
        return Err(wrong_usage(problem).into());
    }
    for path in
        [ExportTable::Attempts, ExportTable::Retransmits].into_iter().filter_map(|table| table.path(&args.write))
    {
        spare(&args.files, "-w", &path)?;
    }
    let format = export::ALL.iter().find(|format| format.name == args.output).context("not a format: see --help")?;
    let (all, cluster) = (args.all, args.cluster.as_deref().map(Into::into));
    Ok(ExportOptions { format, out: args.write.clone(), partition_by: args.partition_by.clone(), all, cluster })
}
