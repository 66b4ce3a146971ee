//! `cargo xtask bench live`: a connection storm through the lab's NAT, with and without snatrace and its peers.
//!
//! From outside it builds snatrace and starts itself again inside a lab (`snatrace-lab demo -- COMMAND`), which goes away with
//! it however it ends. What is measured and how: docs/performance.md.

mod bpf;
mod bulk;
mod cost;
mod curves;
mod guest;
mod hooks;
mod lab;
mod line;
mod lost;
mod machine;
mod memory;
mod pairs;
mod quiet;
mod running;
mod scratch;
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
use serde_json::{Map, Value, json};

use self::lab::Lab;
use self::scratch::Scratch;
use self::tools::Tool;
use super::compare;
use super::table::{self, Row};
use crate::vm::{self, Kernel};
use crate::{build, process};

/// Measure live capture: a connection storm with and without snatrace and its peers
#[allow(clippy::struct_excessive_bools, reason = "switches of a command line")]
#[derive(clap::Args)]
pub struct Args {
    /// Only these parts; all but `curves` when none is named
    #[arg(value_enum)]
    parts: Vec<Part>,
    /// Only these tools, with commas
    #[arg(long, value_delimiter = ',', value_parser = tools::find)]
    tools: Vec<&'static Tool>,
    /// Few and short windows: a first look, no result
    #[arg(long)]
    quick: bool,
    /// How often each pair is measured [default: 15, quick 3]
    #[arg(long)]
    rounds: Option<u32>,
    /// Length of a window [default: 3, quick 1.5]
    #[arg(long)]
    seconds: Option<f64>,
    /// Write all figures here
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Use this snatrace instead of building it; it must be linked statically for --vm
    #[arg(long, env = "SNATRACE_BIN")]
    binary: Option<PathBuf>,
    /// In a QEMU guest with this kernel, where time is the number of instructions
    #[arg(long, value_name = "KERNEL", value_parser = vm::find)]
    vm: Option<&'static Kernel>,
    /// Hide the guest's kprobes, so that translated ports come from the wire
    #[arg(long, requires = "vm")]
    without_kprobes: bool,
    /// In a lab already
    #[arg(long, hide = true)]
    inside: bool,
    /// On a machine that does nothing else
    #[arg(long, hide = true)]
    alone: bool,
    /// Write the figures to standard output, for the host
    #[arg(long, hide = true)]
    kept: bool,
}

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// CPU per connection at maximum rate, against peers
    Cpu,
    /// Connect latency at half of the maximum rate, against peers
    Latency,
    /// Lost events over a minute at maximum rate, and the size of the recording
    Lost,
    /// Nanoseconds per invocation of each program, beside an empty one
    Hooks,
    /// From the retransmit to its line
    Line,
    /// What tail costs while nothing happens
    Idle,
    /// Attaching and detaching
    Start,
    /// Memory with a million attempts under way
    Memory,
    /// How cost grows with connections a second and with interfaces
    Curves,
}

impl Part {
    const USUAL: &[Self] =
        &[Self::Cpu, Self::Latency, Self::Lost, Self::Hooks, Self::Line, Self::Idle, Self::Start, Self::Memory];

    const fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Latency => "latency",
            Self::Lost => "lost",
            Self::Hooks => "hooks",
            Self::Line => "line",
            Self::Idle => "idle",
            Self::Start => "start",
            Self::Memory => "memory",
            Self::Curves => "curves",
        }
    }

    fn measure(self, bench: &Bench, report: &mut Report) -> Result<()> {
        match self {
            Self::Cpu => cost::cpu(bench, report),
            Self::Latency => cost::latency(bench, report),
            Self::Lost => lost::measure(bench, report),
            Self::Hooks => hooks::measure(bench, report),
            Self::Line => line::measure(bench, report),
            Self::Idle => quiet::idle(bench, report),
            Self::Start => quiet::start(bench, report),
            Self::Memory => memory::measure(bench, report),
            Self::Curves => curves::measure(bench, report),
        }
    }
}

/// How long and how often.
pub struct Plan {
    quick: bool,
    rounds: u32,
    window: Duration,
    /// What is not looked at after something was started, whose tables still grow.
    settle: Duration,
}

/// What every measurement needs.
pub struct Bench {
    lab: Lab,
    snatrace: PathBuf,
    plan: Plan,
    tools: Vec<&'static Tool>,
    scratch: Scratch,
    /// Nothing else runs on this machine, whatever its accounting says.
    alone: bool,
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
        return guest::run(args, kernel, &binary);
    }
    let mut demo = process::command(&build::lab_beside(&binary).to_string_lossy());
    demo.args(["demo", "fully_random", "--"]).arg(env::current_exe()?).args(env::args_os().skip(1));
    demo.arg("--inside").env("SNATRACE_BIN", &binary).current_dir(env::current_dir()?);
    // Replacing this process hands signals and the exit code straight to the demo, which takes the lab down.
    let error = demo.exec();
    bail!("starting {}: {error}", binary.display())
}

fn measure(args: &Args) -> Result<ExitCode> {
    let bench = Bench::new(args)?;
    let parts = if args.parts.is_empty() { Part::USUAL } else { &args.parts };
    let mut report = Report::default();
    report.raw("plan", json!({ "rounds": bench.plan.rounds, "window_s": bench.plan.window.as_secs_f64() }));
    let mut failed = false;
    for &part in parts {
        bench.progress(part.name());
        // What was measured before and after it is still worth a table.
        if let Err(error) = part.measure(&bench, &mut report) {
            failed = true;
            eprintln!("bench: {} failed: {error:#}", part.name());
            report.row(Row::skipped(part.name(), "-", format!("failed: {error:#}")));
        }
    }
    if !report.rows.is_empty() {
        println!("\n{}", table::targets(&report.rows));
    }
    if let Some(file) = &args.json {
        fs::write(file, report.json().to_string()).with_context(|| format!("{} cannot be written", file.display()))?;
    }
    if args.kept {
        println!("{}{}", vm::KEPT, report.json());
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

impl Bench {
    fn new(args: &Args) -> Result<Self> {
        let lab = Lab::from_env()?;
        lab.prepare()?;
        let (rounds, seconds, settle_ms) = if args.quick { (3, 1.5, 300) } else { (15, 3.0, 1000) };
        let plan = Plan {
            quick: args.quick,
            rounds: args.rounds.unwrap_or(rounds),
            window: Duration::from_secs_f64(args.seconds.unwrap_or(seconds)),
            settle: Duration::from_millis(settle_ms),
        };
        let tools = if args.tools.is_empty() { tools::ALL.iter().collect() } else { args.tools.clone() };
        let snatrace = args.binary.clone().context("--inside needs --binary")?;
        Ok(Self { lab, snatrace, plan, tools, scratch: Scratch::new()?, alone: args.alone })
    }

    /// What the statistics of programs count in: emulated processors take a nanosecond for each instruction.
    fn unit(&self) -> &'static str {
        if self.alone { "instructions" } else { "ns" }
    }

    /// Long runs say where they are.
    fn progress(&self, text: &str) {
        eprintln!("bench: {text}");
    }
}

/// What is printed at the end.
#[derive(Default)]
pub struct Report {
    rows: Vec<Row>,
    /// To untraced, for `bench compare`.
    ratios: Vec<(String, f64)>,
    raw: Map<String, Value>,
}

impl Report {
    fn row(&mut self, row: Row) {
        self.rows.push(row);
    }

    fn raw(&mut self, name: &str, value: Value) {
        self.raw.insert(name.to_owned(), value);
    }

    fn json(&self) -> Value {
        let mut all = self.raw.clone();
        all.extend(compare::kept(self.ratios.clone()));
        all.insert("targets".to_owned(), self.rows.iter().map(Row::json).collect());
        Value::Object(all)
    }
}
