//! `completions`: the completion script of a shell, made from the definition of the command line.

use std::io::{self, Write};

use anyhow::Result;
use clap::CommandFactory;
use clap_complete::Shell;

use super::{Cli, End};

/// Options of `completions`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The shell
    shell: Shell,
}

/// Prints the script.
pub fn run(args: &Args) -> Result<End> {
    io::stdout().lock().write_all(script(args.shell).as_bytes())?;
    Ok(End::Done)
}

/// In memory first: the generator panics when it cannot write.
pub fn script(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "snatrace", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}
