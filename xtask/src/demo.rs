//! `cargo xtask demo`: from a fresh clone to failing connections being flagged, in one command.

use std::os::unix::process::CommandExt;
use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::{build, debian, process, setup};

/// Set up, build, and run `snatrace-lab demo` as root
#[derive(clap::Args)]
pub struct Args {
    /// Arguments of `snatrace-lab demo`, for example: fully_random -n 200
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

pub fn run(args: &Args) -> Result<ExitCode> {
    setup::all()?;
    let binary = build::lab_beside(&build::static_binary()?);
    let mut command = if debian::is_root() {
        process::command(&binary.to_string_lossy())
    } else {
        eprintln!("demo: network namespaces need root: using sudo");
        let mut sudo = process::command("sudo");
        sudo.arg(&binary);
        sudo
    };
    // Replacing this process hands Ctrl-C and the exit code straight to the demo.
    let error = command.arg("demo").args(&args.args).exec();
    bail!("cannot start {}: {error}", binary.display())
}
