//! `record`: writes the events of the kernel to a trace, for `replay` on any machine.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::ValueHint;

use super::args::{CaptureArgs, ViewArgs};
use super::{End, block_on, capture, end, values, wrong_usage};
use crate::model::RecordOptions;
use crate::notice::notice;
use crate::store::STDIO;

/// Options of `record`.
#[derive(clap::Args, Debug)]
#[command(group = clap::ArgGroup::new("parts").args(["rotate", "segment"]).multiple(true))]
pub struct Args {
    /// Trace to write, `-` for standard output; an existing file is overwritten
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    write: PathBuf,
    /// Also show what `tail` would show
    #[arg(long)]
    print: bool,
    /// Start a new file at this size, such as 100M; files are named FILE, FILE1, FILE2, or with -W FILE0, FILE1
    #[arg(short = 'C', value_name = "SIZE", value_parser = values::size, allow_hyphen_values = true)]
    rotate: Option<u64>,
    /// Start a new file after this time, such as 5m; each file appears under its name once it is complete
    #[arg(long, value_name = "TIME", value_parser = values::duration, allow_hyphen_values = true)]
    segment: Option<Duration>,
    /// Keep only the newest COUNT files
    #[arg(short = 'W', value_name = "COUNT", requires = "parts", value_parser = clap::value_parser!(NonZeroU32))]
    keep: Option<NonZeroU32>,
    /// Remove the oldest files to keep the total below this size, such as 1G
    #[arg(long, value_name = "SIZE", requires = "parts", value_parser = values::size, allow_hyphen_values = true)]
    max_total: Option<u64>,
    #[command(flatten)]
    view: ViewArgs,
    #[command(flatten)]
    capture: CaptureArgs,
}

impl Args {
    /// What cannot be where standard output is the trace.
    fn check_stdout(&self) -> Result<(), clap::Error> {
        let problem = if self.print {
            "--print: the trace goes to standard output: write it to a file, or omit --print"
        } else if self.rotate.is_some() {
            "-C: standard output cannot be split into several files: name a file"
        } else if self.segment.is_some() {
            "--segment: standard output cannot be split into several files: name a file"
        } else {
            return Ok(());
        };
        Err(wrong_usage(problem))
    }
}

/// What packet captures are called.
const PACKETS: [&str; 3] = ["pcap", "pcapng", "cap"];

/// Runs until the capture ends.
pub fn run(args: &Args) -> Result<End> {
    if args.write.as_os_str() == STDIO {
        args.check_stdout()?;
    }
    if args.rotate.zip(args.max_total).is_some_and(|(file, all)| file > all) {
        return Err(wrong_usage("--max-total: smaller than one file of -C: write more, or a smaller -C").into());
    }
    if args.write.extension().is_some_and(|extension| PACKETS.iter().any(|packets| extension == *packets)) {
        notice("a recording is a trace, not packets: snatrace export -o pcapng rebuilds packets from it");
    }
    let options = args.capture.options()?;
    let view = args.print.then(|| args.view.view(options.filter.clone()));
    let (file, rotate_bytes, segment) = (args.write.clone(), args.rotate, args.segment);
    let record = RecordOptions { file, rotate_bytes, segment, keep_files: args.keep, max_total: args.max_total };
    let summary = block_on(capture::run(&options, view, Some(&record), args.capture.metrics.clone(), None))??;
    Ok(end(&summary, &options.filter, args.view.exit_code))
}
