//! The subcommands of `snatrace-lab`, one file each.

mod demo;
mod traffic;

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::{Error, Result};
use clap::{Parser, Subcommand};
use log::LevelFilter;

/// A small network in namespaces that fails as nodes behind a stateless filter do
#[derive(Parser)]
#[command(name = "snatrace-lab", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Reproduce the failure in a small network of namespaces and watch snatrace flag it
    Demo(Box<demo::DemoArgs>),
    /// Make the connections of the lab that this runs in
    Traffic(traffic::TrafficArgs),
}

fn run(command: Command) -> Result<u8> {
    match command {
        Command::Demo(args) => demo::run(&args),
        Command::Traffic(args) => traffic::run(&args),
    }
}

/// Parses the command line, runs it, prints a one-line error.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    start_log();
    match run(cli.command) {
        Ok(code) => ExitCode::from(code),
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => match error.downcast::<clap::Error>() {
            Ok(wrong_usage) => wrong_usage.exit(),
            Err(error) => {
                // Unlike `eprintln!`, this does not panic where standard error is gone.
                let _ = writeln!(io::stderr(), "snatrace-lab: {error:#}");
                ExitCode::FAILURE
            }
        },
    }
}

/// The reader of standard output has gone.
fn is_broken_pipe(error: &Error) -> bool {
    let reasons = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
    reasons.into_iter().any(|reason| reason.kind() == io::ErrorKind::BrokenPipe)
}

fn start_log() {
    let mut builder = env_logger::Builder::new();
    builder.filter_level(LevelFilter::Warn);
    builder.format(|out, record| {
        writeln!(out, "snatrace-lab: {}: {}", record.level().as_str().to_ascii_lowercase(), record.args())
    });
    // Fails only where a logger is there already.
    let _ = builder.try_init();
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_definition_of_the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_option_has_help_and_is_in_the_docs() {
        let docs = include_str!("../../../../docs/lab.md");
        let commands = Cli::command();
        for option in commands.get_subcommands().flat_map(clap::Command::get_arguments) {
            assert!(option.get_help().is_some(), "{}", option.get_id());
            let name = option
                .get_long()
                .map_or_else(|| option.get_id().to_string().to_uppercase(), |long| format!("--{long}"));
            assert!(docs.contains(&name), "docs/lab.md does not name {name}");
        }
    }
}
