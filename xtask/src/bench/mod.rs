//! `cargo xtask bench`: what snatrace costs, beside its targets and beside other tools. docs/performance.md has the method.

mod guest;
mod live;
mod replay;
mod spread;
mod table;

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

/// Measure what snatrace costs, compared with its targets and with other tools
#[derive(Subcommand)]
pub enum Bench {
    Live(live::Args),
    Replay(replay::Args),
}

pub fn run(bench: &Bench) -> Result<ExitCode> {
    match bench {
        Bench::Live(args) => live::run(args),
        Bench::Replay(args) => replay::run(args),
    }
}
