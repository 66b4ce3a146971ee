//! `cargo xtask bench`: what snatrace costs, measured beside its targets.

mod compare;
mod figures;
mod guest;
mod live;
mod replay;
mod table;

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

/// Measure what snatrace costs, beside targets and peers
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    Live(live::Args),
    Replay(replay::Args),
    Compare(compare::Args),
}

pub fn run(args: &Args) -> Result<ExitCode> {
    match &args.what {
        What::Live(args) => live::run(args),
        What::Replay(args) => replay::run(args),
        What::Compare(args) => compare::run(args),
    }
}
