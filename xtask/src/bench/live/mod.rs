//! `cargo xtask bench live`: a connection storm through the lab's NAT, with and without snatrace and other tools.
//!
//! Outside of a lab it builds snatrace and starts itself again inside one (`snatrace-lab demo -- COMMAND`), which is taken down
//! however the run ends.

mod cost;
mod lab;
mod line;
mod lost;
mod machine;
mod memory;
mod running;
mod storm;
mod tools;

use std::env;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use tempfile::TempDir;

use self::lab::Lab;
use self::tools::Tool;
use super::guest;
use super::table::{self, Row};
use crate::vm::{self, Kernel};
use crate::{build, process};

/// Measure live capture: a connection storm with and without snatrace and other tools
#[derive(clap::Args)]
pub struct Args {
    /// What to measure [default: all; with --vm, cpu]
    #[arg(value_enum)]
    parts: Vec<Part>,
    /// Measure CPU with these tools only, comma-separated
    #[arg(long, value_delimiter = ',', value_parser = tools::find)]
    tools: Vec<&'static Tool>,
    /// Number of traced windows of each tool [default: 15; with --vm, 3]
    #[arg(long)]
    rounds: Option<u32>,
    /// Seconds of a window [default: 3; with --vm, 1]
    #[arg(long)]
    seconds: Option<f64>,
    /// Connections per second while CPU is measured [default: as many as possible]
    #[arg(long)]
    rate: Option<u32>,
    /// Use this snatrace binary instead of building one; --vm needs a static binary
    #[arg(long, env = "SNATRACE_BIN", overrides_with = "binary")]
    binary: Option<PathBuf>,
    /// Run in a QEMU guest with this kernel, where time is the number of instructions
    #[arg(long, value_name = "KERNEL", value_parser = vm::find)]
    vm: Option<&'static Kernel>,
    /// Hide the guest's kprobes, so that translated ports come from the wire
    #[arg(long, requires = "vm")]
    without_kprobes: bool,
    /// Already in a lab
    #[arg(long, hide = true)]
    inside: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// CPU and latency per connection, compared with other tools
    Cpu,
    /// Lost events in a minute at maximum rate, and the size of the recording
    Lost,
    /// Time from a retransmit to its line on the screen
    Line,
    /// Memory with a million attempts in progress
    Memory,
}

impl Part {
    fn measure(self, bench: &Bench) -> Result<Vec<Row>> {
        match self {
            Self::Cpu => cost::measure(bench),
            Self::Lost => lost::measure(bench),
            Self::Line => line::measure(bench),
            Self::Memory => memory::measure(bench),
        }
    }
}

/// What every measurement needs.
pub struct Bench {
    lab: Lab,
    snatrace: PathBuf,
    tools: Vec<&'static Tool>,
    rate: Option<u32>,
    rounds: u32,
    window: Duration,
    /// Not measured after a start, while tables still grow.
    settle: Duration,
    /// Nothing else runs on this machine, whatever its accounting says.
    alone: bool,
    scratch: TempDir,
}

pub fn run(args: &Args) -> Result<ExitCode> {
    if args.inside { measure(args) } else { start(args) }
}

/// Runs this again, in a lab.
fn start(args: &Args) -> Result<ExitCode> {
    let binary = match &args.binary {
        Some(binary) => fs::canonicalize(binary).with_context(|| format!("no snatrace at {}", binary.display()))?,
        None => build::static_binary()?,
    };
    if let Some(kernel) = args.vm {
        // snatrace looks for kprobes where perf finds them.
        let hide = if args.without_kprobes { "mount -t tmpfs none /sys/bus/event_source/devices && " } else { "" };
        let begin = format!("{hide}snatrace-lab demo fully_random --");
        return guest::run(kernel, &begin, "--binary /usr/sbin/snatrace", Some(binary), Vec::new(), "tcpdump");
    }
    let mut demo = process::command(&build::lab_beside(&binary).to_string_lossy());
    demo.args(["demo", "fully_random", "--"]).arg(env::current_exe()?).args(env::args_os().skip(1));
    demo.args(["--inside", "--binary"]).arg(&binary).current_dir(env::current_dir()?);
    // Replacing this process hands signals and the exit code straight to the demo, which takes the lab down.
    let error = demo.exec();
    bail!("cannot start {}: {error}", binary.display())
}

fn measure(args: &Args) -> Result<ExitCode> {
    let bench = Bench::new(args)?;
    let all = if args.vm.is_some() { &[Part::Cpu] } else { Part::value_variants() };
    let parts = if args.parts.is_empty() { all } else { &args.parts };
    let (mut rows, mut failed) = (Vec::new(), false);
    for &part in parts {
        bench.progress(&format!("{part:?}"));
        // A part that fails does not cost the figures of the others.
        rows.extend(part.measure(&bench).unwrap_or_else(|error| {
            failed = true;
            vec![Row::skipped(format!("{part:?}"), format!("failed: {error:#}"))]
        }));
    }
    println!("\n{}", table::of_targets(&rows));
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

impl Bench {
    fn new(args: &Args) -> Result<Self> {
        let lab = Lab::from_env()?;
        lab.prepare()?;
        // Counted instructions repeat: in a guest, more rounds only take longer, and nothing else runs.
        let is_guest = args.vm.is_some();
        let window = Duration::from_secs_f64(args.seconds.unwrap_or(if is_guest { 1.0 } else { 3.0 }));
        Ok(Self {
            lab,
            snatrace: args.binary.clone().context("--inside needs --binary")?,
            tools: if args.tools.is_empty() { tools::ALL.iter().collect() } else { args.tools.clone() },
            rate: args.rate,
            rounds: args.rounds.unwrap_or(if is_guest { 3 } else { 15 }),
            window,
            settle: window / 3,
            alone: is_guest,
            scratch: TempDir::with_prefix("snatrace-bench-")?,
        })
    }

    /// An empty directory for what a tool writes; what an earlier run of it left there is gone.
    fn scratch(&self, name: &str) -> Result<PathBuf> {
        let dir = self.scratch.path().join(name);
        if dir.exists() {
            fs::remove_dir_all(&dir)?;
        }
        fs::create_dir(&dir).with_context(|| format!("{} cannot be created", dir.display()))?;
        Ok(dir)
    }

    fn progress(&self, text: &str) {
        eprintln!("bench: {text}");
    }
}
