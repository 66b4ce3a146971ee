//! `tail`: shows failing connections live, one line per SYN retransmission.

use anyhow::Result;

use super::args::{CaptureArgs, ViewArgs};
use super::{End, block_on, capture, end};

/// Options of `tail`.
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(flatten)]
    view: ViewArgs,
    #[command(flatten)]
    capture: CaptureArgs,
}

/// Runs until the capture ends.
pub fn run(args: &Args) -> Result<End> {
    let options = args.capture.options()?;
    let view = args.view.live_view(options.filter.clone());
    let summary = block_on(capture::run(&options, Some(view), None, args.capture.metrics.clone(), None))??;
    Ok(end(&summary, &options.filter, args.view.exit_code))
}
