//! The same in a QEMU guest, on a kernel with kprobes, where time is the number of instructions.

use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};

use super::Args;
use crate::consent::Consent;
use crate::debian;
use crate::paths;
use crate::vm::{self, Hardware, Job, Kernel, quoted};

/// Emulation executes some hundred million instructions a second: a second in the guest takes many here.
const LIMIT: Duration = Duration::from_secs(3600);
const PEERS: &[&str] = &["tcpdump", "bpftrace"];
/// What is measured unless parts are named: the rest does not depend on the kernel's hooks, or needs a real clock.
const USUAL: &str = "cpu hooks";

pub fn run(args: &Args, kernel: &Kernel, snatrace: &Path) -> Result<ExitCode> {
    debian::need(vm::NEEDS, Consent { given: false })?;
    let own = env::current_exe().context("the path of this program is unknown")?;
    let mut programs: Vec<PathBuf> = vec![own.clone()];
    programs.extend(PEERS.iter().filter_map(|name| paths::program(name)));
    let job = Job {
        programs,
        hardware: Hardware::Counted,
        keep: args.json.clone(),
        ..Job::new(script(args, &own)?, Some(snatrace.to_path_buf()), LIMIT)
    };
    Ok(ExitCode::from(vm::boot(kernel, &job)?))
}

/// This program again, in a lab in the guest.
fn script(args: &Args, own: &Path) -> Result<String> {
    let name = own.file_name().context("this program has no name")?.to_string_lossy().into_owned();
    let parts: Vec<&str> = args.parts.iter().map(|part| part.name()).collect();
    let parts = if parts.is_empty() { USUAL.to_owned() } else { parts.join(" ") };
    let tools = args.tools.iter().map(|tool| tool.name).collect::<Vec<_>>().join(",");
    let tools = if tools.is_empty() { String::new() } else { format!("--tools={}", quoted(&tools)) };
    // Counted instructions repeat: more rounds than these only take longer.
    let rounds = args.rounds.unwrap_or(if args.quick { 1 } else { 3 });
    let seconds = args.seconds.unwrap_or(if args.quick { 0.5 } else { 1.0 });
    let json = if args.json.is_some() { "--kept" } else { "" };
    // snatrace and bench look for kprobes where perf finds them.
    let hide = if args.without_kprobes { "mount -t tmpfs none /sys/bus/event_source/devices && " } else { "" };
    Ok(format!(
        "{hide}snatrace demo fully_random -- {name} bench live {parts} --inside --alone --binary /usr/sbin/snatrace \
         --rounds {rounds} --seconds {seconds} {tools} {json} 2>&1"
    ))
}
