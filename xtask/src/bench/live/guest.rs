//! The same in a QEMU guest, on a kernel with kprobes, where time is the number of instructions.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;

use super::Args;
use crate::bench::guest::{self, Inside};
use crate::vm::{Kernel, quoted};

/// What is measured unless parts are named: the rest does not depend on the kernel's hooks, or needs a real clock.
const USUAL: &str = "cpu hooks";

pub fn run(args: &Args, kernel: &Kernel, snatrace: &Path) -> Result<ExitCode> {
    let inside = Inside {
        script: script(args)?,
        snatrace: Some(snatrace.to_path_buf()),
        programs: Vec::new(),
        peers: vec!["tcpdump", "bpftrace"],
        keep: args.json.clone(),
    };
    guest::run(kernel, inside)
}

/// This program again, in a lab in the guest.
fn script(args: &Args) -> Result<String> {
    let name = guest::own_name()?;
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
        "{hide}snatrace-lab demo fully_random -- {name} bench live {parts} --inside --alone --binary /usr/sbin/snatrace \
         --rounds {rounds} --seconds {seconds} {tools} {json} 2>&1"
    ))
}
