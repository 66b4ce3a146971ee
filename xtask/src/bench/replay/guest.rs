//! The same in a QEMU guest, where time is the number of instructions.

use std::process::ExitCode;

use anyhow::Result;

use super::Args;
use super::stages::Stages;
use super::works::programs_of_peers;
use crate::bench::guest::{self, Inside};
use crate::vm::Kernel;

pub fn run(args: &Args, kernel: &Kernel, stages: &Stages) -> Result<ExitCode> {
    let inside = Inside {
        script: script(args)?,
        snatrace: None,
        programs: vec![stages.stages.clone(), stages.snatrace.clone()],
        peers: programs_of_peers(),
        keep: args.json.clone(),
    };
    guest::run(kernel, inside)
}

fn script(args: &Args) -> Result<String> {
    let name = guest::own_name()?;
    // Counted instructions repeat.
    let rounds = args.rounds.unwrap_or(1);
    let json = if args.json.is_some() { "--kept" } else { "" };
    Ok(format!("{name} bench replay --inside --events {} --rounds {rounds} {json} 2>&1", args.events))
}
