//! The subcommands, one file each.
//!
//! To add one: a file here with `Args` and `run`, a line in `Command` and one in `run`, a section in docs/cli.md.

mod args;
mod capture;
mod completions;
mod export;
mod habits;
mod infer;
mod doctor;
pub mod machine;
mod man;
mod progress;
mod probe;
mod record;
mod replay;
mod report;
mod schema;
#[cfg(feature = "ebpf")]
mod status;
mod tail;
mod top;
mod values;

use std::env;
use std::ffi::OsString;
use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::{Context, Error, Result};
use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgAction, CommandFactory, Parser, Subcommand};
use log::LevelFilter;

use crate::model::Filter;
use crate::notice::notice;
use crate::outputs::escape::Escaped;
use crate::shortage;
use crate::store;
use crate::summary::Summary;

const EXIT_CODES: &str = "\
Exit codes: 0 done; 1 failed; 2 wrong usage; 3 with --exit-code: an attempt was flagged, doctor found a problem, or probe a filter";

/// Finds TCP connections that fail because NAT chose a source port outside the range that a filter accepts.
#[derive(Parser, Debug)]
#[command(name = "snatrace", bin_name = "snatrace", version, max_term_width = 100, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Increase verbosity (repeatable)
    #[arg(short, long, global = true, action = ArgAction::Count)]
    verbose: u8,
    /// Colours in text
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t)]
    color: clap::ColorChoice,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Show failing connections live
    Tail(Box<tail::Args>),
    /// Show failing connections by pod, destination and cause, on a screen
    Top(Box<top::Args>),
    /// Record a trace
    Record(Box<record::Args>),
    /// Show recorded traces; needs no privileges
    Replay(Box<replay::Args>),
    /// Summarise every attempt in the traces, in tables and charts; needs no privileges
    Report(Box<report::Args>),
    /// Export attempts as tables for other tools; needs no privileges
    Export(Box<export::Args>),
    /// Infer from traces which translated ports the path accepts
    Infer(Box<infer::Args>),
    /// Predict how this node's NAT rules affect connections
    Doctor(Box<doctor::Args>),
    /// Print the completion script of a shell
    Completions(completions::Args),
    /// Print the JSON Schema of every kind of JSON line
    Schema(schema::Args),
    /// Write the man pages into a directory, for packages
    #[command(hide = true)]
    Man(man::Args),
    /// Find the ports that the path accepts, with connections to named hosts
    Probe(Box<probe::Args>),
}

fn run(cli: &Cli) -> Result<End> {
    shortage::check()?;
    match &cli.command {
        Command::Tail(args) => tail::run(args),
        Command::Top(args) => top::run(args),
        Command::Record(args) => record::run(args),
        Command::Replay(args) => replay::run(args),
        Command::Report(args) => report::run(args),
        Command::Export(args) => export::run(args),
        Command::Infer(args) => infer::run(args),
        Command::Doctor(args) => doctor::run(args, cli.verbose > 0),
        Command::Completions(args) => completions::run(args),
        Command::Schema(args) => schema::run(args),
        Command::Man(args) => man::run(args),
        Command::Probe(args) => probe::run(args),
    }
}

/// How a command ended that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It did what it was asked to.
    Done,
    /// So it did, and something was flagged that the caller wants to hear about.
    Flagged,
}

impl From<End> for ExitCode {
    fn from(end: End) -> Self {
        match end {
            End::Done => Self::SUCCESS,
            End::Flagged => Self::from(3),
        }
    }
}

/// The end that `--exit-code` asks for; says so where the filter matched nothing.
fn end(summary: &Summary, filter: &Filter, exit_code: bool) -> End {
    if let Some(words) = summary.unmatched_words(filter) {
        notice(Escaped(&words));
    }
    if exit_code && summary.flagged_retransmits > 0 { End::Flagged } else { End::Done }
}

/// Runs what reads files and waits for nothing: it needs no sockets, which would be refused.
fn block_on_files<T>(future: impl Future<Output = T>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    Ok(runtime.context("cannot start the event loop")?.block_on(future))
}

/// Runs a future to its end on this thread.
fn block_on<T>(future: impl Future<Output = T>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    Ok(runtime.context("cannot start the event loop")?.block_on(future))
}

/// Parses the command line, runs it, prints a one-line error.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return exit(&habits::with_habit(without_wrong_tip(with_variable(error)))),
    };
    start_log(cli.verbose);
    machine::set_colour(cli.color);
    match run(&cli) {
        Ok(end) => ExitCode::from(end),
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => match error.downcast::<clap::Error>() {
            Ok(wrong_usage) => exit(&wrong_usage),
            Err(error) => {
                notice(Escaped(&one_line(&error)));
                ExitCode::FAILURE
            }
        },
    }
}

/// What failed, why, and what to do.
fn one_line(error: &Error) -> String {
    match shortage::of(error.chain()) {
        Some(why) => format!("{error}: {why}"),
        None => format!("{error:#}"),
    }
}

/// Prints what clap has to say and returns its exit code. It quotes what was typed, which must not steer the terminal.
fn exit(error: &clap::Error) -> ExitCode {
    let may_steer = |text: OsString| Escaped(&text.to_string_lossy()).to_string() != text.to_string_lossy();
    let variables = env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("SNATRACE_"));
    if env::args_os().chain(variables.map(|(_, value)| value)).any(may_steer) {
        error.render().to_string().lines().for_each(|line| eprintln!("{}", Escaped(line)));
    } else {
        // Standard error may be closed; there is no other place to report to.
        let _ = error.print();
    }
    u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from)
}

/// Wrong usage that only a command can see, with the usage of the command that was typed.
fn wrong_usage(problem: impl Display) -> clap::Error {
    let mut root = Cli::command();
    root.build();
    let typed = env::args_os().skip(1).find(|arg| root.find_subcommand(arg).is_some()).unwrap_or_default();
    let command = root.find_subcommand(typed).cloned();
    command.unwrap_or(root).error(ErrorKind::ValueValidation, problem)
}

/// Adds the environment variable that a wrong value came from: clap names the option alone.
fn with_variable(mut error: clap::Error) -> clap::Error {
    let Some(wrong) = error.get(ContextKind::InvalidArg).map(ToString::to_string) else { return error };
    let long = wrong.split(' ').next().unwrap_or_default();
    let is_typed = env::args_os().any(|arg| arg.to_string_lossy().split('=').next() == Some(long));
    let root = Cli::command();
    let mut options = root.get_subcommands().flat_map(clap::Command::get_arguments);
    let is_it = |option: &&clap::Arg| option.get_long().is_some_and(|name| long.strip_prefix("--") == Some(name));
    let variable = options.find(is_it).and_then(clap::Arg::get_env).filter(|_| !is_typed);
    if let Some(variable) = variable {
        let tip = format!("the value is from the environment variable {}", variable.display());
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
    error
}

/// Without the tip to write `-- --option`: what follows `--` is a command, or a file.
fn without_wrong_tip(mut error: clap::Error) -> clap::Error {
    if let Some(ContextValue::StyledStrs(tips)) = error.remove(ContextKind::Suggested) {
        let is_right = |tip: &StyledStr| !tip.to_string().contains("as a value, use '-- ");
        let right: Vec<_> = tips.into_iter().filter(is_right).collect();
        if !right.is_empty() {
            error.insert(ContextKind::Suggested, ContextValue::StyledStrs(right));
        }
    }
    error
}

/// Whoever read standard output has seen enough.
fn is_broken_pipe(error: &Error) -> bool {
    error.chain().any(|cause| {
        let reason = match cause.downcast_ref::<store::Error>() {
            Some(store::Error::Write { reason, .. }) => Some(reason),
            _ => cause.downcast_ref::<io::Error>(),
        };
        reason.is_some_and(|reason| reason.kind() == io::ErrorKind::BrokenPipe)
    })
}

/// Warnings always, more with `-v`. Messages may quote the kernel or a trace, so they are escaped.
fn start_log(verbose: u8) {
    let level = match verbose {
        0 => LevelFilter::Warn,
        1 => LevelFilter::Info,
        2 => LevelFilter::Debug,
        3.. => LevelFilter::Trace,
    };
    let mut builder = env_logger::Builder::new();
    builder.filter_level(level);
    builder.format(|out, record| {
        let level = record.level().as_str().to_ascii_lowercase();
        writeln!(out, "snatrace: {level}: {}", Escaped(&record.args().to_string()))
    });
    // Fails only where a logger is there already.
    let _ = builder.try_init();
}

#[cfg(test)]
mod tests;
