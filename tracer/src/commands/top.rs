//! `top`: a live view by pod, destination and cause; of traces, how they ended.

use std::path::PathBuf;

use anyhow::Result;
use clap::ValueHint;

use super::args::{CaptureArgs, PacketArgs};
use super::replay::run_ahead;
use super::{End, block_on, capture};
use crate::notice::HeldNotices;
use crate::outputs::View;
use crate::pipeline::Judge;
use crate::source::Ahead;
use crate::top::{SharedCounts, Terminal};

/// Options of `top`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Show this trace or packet capture instead of this node; repeatable
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    read: Vec<PathBuf>,
    #[command(flatten)]
    packets: PacketArgs,
    #[command(flatten)]
    capture: CaptureArgs,
}

/// Runs until the user has seen enough.
pub fn run(args: &Args) -> Result<End> {
    let options = args.capture.options()?;
    let mut counts = SharedCounts::default();
    let held = HeldNotices::begin();
    if args.read.is_empty() {
        let terminal = Terminal::start(counts.clone(), true)?;
        let capture = capture::run(&options, None, None, args.capture.metrics.clone(), Some(&mut counts));
        let summary = block_on(capture)?;
        drop((terminal, held));
        return summary.map(|_| End::Done);
    }
    // Its thread reads keys and draws, which reading a trace may not.
    let mut terminal = Terminal::start(counts.clone(), false)?;
    let traces = args.packets.open(&args.read, &[])?;
    let captures = traces.captures();
    let updates = Ahead::new(traces)?.joined(captures.len())?;
    let judge = Judge::new(captures, View::silent(options.filter), None).with_observer(&mut counts);
    run_ahead(updates, judge)?;
    terminal.wait();
    drop((terminal, held));
    Ok(End::Done)
}
