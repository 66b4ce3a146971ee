//! Runs a benchmark again in a QEMU guest whose clock counts instructions, so that figures repeat.

use std::env;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::debian;
use crate::paths;
use crate::vm::{self, Hardware, Job, Kernel};

/// Emulation executes about a hundred million instructions a second, so a second in the guest takes many here.
const LIMIT: Duration = Duration::from_secs(3600);

/// Runs this program again with the same arguments and `--inside`, below these commands of a shell. Programs of other tools go in where
/// they are installed.
pub fn run(
    kernel: &Kernel,
    begin: &str,
    end: &str,
    snatrace: Option<PathBuf>,
    programs: Vec<PathBuf>,
    tool: &str,
) -> Result<ExitCode> {
    debian::need(vm::NEEDS)?;
    let own = env::current_exe().context("the path of this program is unknown")?;
    let programs = std::iter::once(own).chain(programs).chain(paths::program(tool)).collect();
    let words = env::args().skip(1).map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" ");
    let script = format!("{begin} xtask {words} --inside {end} 2>&1");
    let job = Job { programs, hardware: Hardware::Counted, ..Job::new(script, snatrace, LIMIT) };
    Ok(ExitCode::from(vm::boot(kernel, &job)?))
}
