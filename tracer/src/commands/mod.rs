//! The subcommands, one file each.

pub mod demo;
pub mod traffic;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "snatrace")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Demo(demo::DemoArgs),
    #[command(hide = true)]
    Traffic(traffic::TrafficArgs),
}

/// Parses the command line, runs it, prints a one-line error.
#[must_use]
pub fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Demo(args) => demo::run(&args),
        Command::Traffic(args) => traffic::run(args),
    };
    result.unwrap_or_else(|error| {
        eprintln!("snatrace: {error:#}");
        ExitCode::FAILURE
    })
}
