//! A QEMU guest in which a benchmark runs again, and time is the number of instructions.

use std::env;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::consent::Consent;
use crate::debian;
use crate::paths;
use crate::vm::{self, Hardware, Job, Kernel};

/// Emulation executes some hundred million instructions a second: a second in the guest takes many here.
const LIMIT: Duration = Duration::from_secs(3600);

/// What the guest runs, and with what.
pub struct Inside {
    /// A line of shell, in which this program has its own name
    pub script: String,
    /// Linked statically
    pub snatrace: Option<PathBuf>,
    /// More programs, with their libraries
    pub programs: Vec<PathBuf>,
    /// Those that are installed go in too
    pub peers: Vec<&'static str>,
    /// Where the figures go that it writes for the host
    pub keep: Option<PathBuf>,
}

pub fn run(kernel: &Kernel, inside: Inside) -> Result<ExitCode> {
    debian::need(vm::NEEDS, Consent { given: false })?;
    let mut programs = vec![env::current_exe().context("the path of this program is unknown")?];
    programs.extend(inside.programs);
    programs.extend(inside.peers.iter().filter_map(|name| paths::program(name)));
    let job = Job {
        programs,
        hardware: Hardware::Counted,
        keep: inside.keep,
        ..Job::new(inside.script, inside.snatrace, LIMIT)
    };
    Ok(ExitCode::from(vm::boot(kernel, &job)?))
}

/// The name of this program, which it has in the guest too.
pub fn own_name() -> Result<String> {
    let own = env::current_exe().context("the path of this program is unknown")?;
    Ok(own.file_name().context("this program has no name")?.to_string_lossy().into_owned())
}
