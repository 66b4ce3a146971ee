//! `replay`: shows a trace as `tail` showed it live, or as it would have with another policy.

use std::path::PathBuf;

use anyhow::Result;
use clap::ValueHint;

use super::args::{FilterArgs, ViewArgs};
use super::{End, end};
use crate::model::{Origin, PolicyChange, PortSet};
use crate::pipeline;

/// Options of `replay`. The policy comes from the trace or from here, never from the environment of this machine.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Traces; several are merged by time
    #[arg(required = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    files: Vec<PathBuf>,
    /// Judge with these allowed ports instead of the recorded ones: a range, a comma list, or `any`
    #[arg(long, value_name = "RANGES", allow_hyphen_values = true)]
    allow: Option<PortSet>,
    /// The same for IPv6 where it differs
    #[arg(long, value_name = "RANGES", allow_hyphen_values = true)]
    allow6: Option<PortSet>,
    #[command(flatten)]
    view: ViewArgs,
    #[command(flatten)]
    filter: FilterArgs,
}

/// Runs to the end of the traces.
pub fn run(args: &Args) -> Result<End> {
    let change =
        PolicyChange { allow: args.allow.clone().map(|ports| (ports, Origin::Given)), allow6: args.allow6.clone() };
    let view = args.view.view(args.filter.filter()?)?;
    let summary = pipeline::replay(&args.files, &change, &view)?;
    Ok(end(&summary, args.view.exit_code))
}
