//! `man`: the man pages, made from the definition of the command line; packages ship them.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::CommandFactory;

use super::{Cli, End};

/// Options of `man`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The directory
    pub dir: PathBuf,
}

/// Writes `snatrace.1`, and a page for each command.
pub fn run(args: &Args) -> Result<End> {
    let command = Cli::command().disable_help_subcommand(true);
    clap_mangen::generate_to(command, &args.dir)
        .with_context(|| format!("cannot write the man pages to {}", args.dir.display()))?;
    Ok(End::Done)
}
