//! `cargo xtask bench replay`: how fast traces are read, and with how much memory, against tshark and tcpdump.
//!
//! Each measurement is a process of its own (`tracer/examples/replay_stages.rs`), so that CPU time and peak memory are its
//! own too. What is measured and how: docs/performance.md.

mod guest;
mod stages;
mod traces;
mod works;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use serde_json::{Map, Value};

use self::stages::Stages;
use self::traces::Trace;
use self::works::{Measured, Work};
use super::compare;
use super::table::{self, Row};
use crate::vm::{self, Kernel};

/// Measure replay, report and infer over traces, beside targets and peers
#[derive(clap::Args)]
pub struct Args {
    /// Measure over this recorded trace too
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Events of the synthetic trace
    #[arg(long, default_value_t = 10_000_000)]
    events: u64,
    /// How often each is measured [default: 5, with --vm 1]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: Option<u32>,
    /// How cost grows with attempts under way, too
    #[arg(long)]
    curves: bool,
    /// Write all figures here
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// In a QEMU guest with this kernel, where time is the number of instructions: repeats, however loud the machine
    #[arg(long, value_name = "KERNEL", value_parser = vm::find, conflicts_with_all = ["trace", "curves"])]
    vm: Option<&'static Kernel>,
    /// In the guest already
    #[arg(long, hide = true)]
    inside: bool,
    /// Write the figures to standard output, for the host
    #[arg(long, hide = true)]
    kept: bool,
}

pub fn run(args: &Args) -> Result<ExitCode> {
    let stages = if args.inside { Stages::installed() } else { Stages::build()? };
    match args.vm {
        Some(kernel) => guest::run(args, kernel, &stages),
        None => measure(args, &stages),
    }
}

fn measure(args: &Args, stages: &Stages) -> Result<ExitCode> {
    let rounds = args.rounds.unwrap_or(5);
    let synthetic = traces::synthetic(stages, "synthetic", args.events, 35_000)?;
    let peers = traces::with_packets(stages, args.events / 4)?;
    let recorded = args.trace.as_deref().map(|path| traces::recorded(stages, path)).transpose()?;

    let mut works: Vec<Work> = works::over(&synthetic);
    works.extend(recorded.iter().flat_map(works::over));
    works.extend(works::of_peers(&peers));
    works.extend([1_000_000, 2_000_000].map(works::open));
    let mut curves = Vec::new();
    if args.curves {
        for open in [1_000, 10_000, 100_000, 1_000_000] {
            let trace = traces::synthetic(stages, &format!("open-{open}"), args.events, open)?;
            curves.push(works::judge(&trace));
        }
    }
    let measured = works::measure(stages, &works, rounds)?;
    let curves = works::measure(stages, &curves, rounds)?;

    println!("{}", works::table(&measured));
    if !curves.is_empty() {
        println!("{}", works::table(&curves));
    }
    let ratios = to_peers(&measured, if args.inside { "instructions of" } else { "faster than" });
    let mut rows = Vec::new();
    if args.inside {
        println!("An instruction takes a nanosecond here.\n\n{}", works::ratios(&ratios));
    } else {
        rows = targets(&measured, &ratios, &synthetic, recorded.as_ref());
        println!("{}", table::targets(&rows));
    }
    let figures: Vec<_> = measured.iter().chain(&curves).map(Measured::json).collect();
    let mut json: Map<String, Value> = compare::kept(ratios).into_iter().collect();
    json.insert("figures".to_owned(), figures.into());
    json.insert("targets".to_owned(), rows.iter().map(Row::json).collect());
    let json = Value::from(json);
    if let Some(path) = &args.json {
        fs::write(path, format!("{json:#}\n")).with_context(|| format!("cannot write {}", path.display()))?;
    }
    if args.kept {
        println!("{}{json}", vm::KEPT);
    }
    Ok(ExitCode::SUCCESS)
}

/// How many times longer each peer that is installed takes, elapsed.
fn to_peers(measured: &[Measured], word: &str) -> Vec<(String, f64)> {
    let wall_s = |name: &str| measured.iter().find(|measured| measured.name == name).map(Measured::wall_s);
    let ratio = |peer: &works::Peer| {
        let ratio = wall_s(peer.name)? / wall_s(works::OWN_OF_PEERS)?;
        Some((format!("{word} {}", peer.name), ratio))
    };
    works::PEERS.iter().filter_map(ratio).filter(|(_, ratio)| ratio.is_finite()).collect()
}

/// What issue and docs promise, beside what was measured.
fn targets(measured: &[Measured], faster: &[(String, f64)], synthetic: &Trace, recorded: Option<&Trace>) -> Vec<Row> {
    let find = |name: &str| measured.iter().find(|measured| measured.name == name);
    let median = |name: &str, of: fn(&Measured) -> f64| find(name).map(of).filter(|figure| figure.is_finite());
    let mut rows = Vec::new();
    if let Some(rate) = median("synthetic: decode + join + causes", Measured::events_per_us) {
        rows.push(Row::at_least("decode + join + causes, one core", rate, 10.0, " M events/s"));
    }
    if let Some(seconds) = median("synthetic: report", Measured::wall_s) {
        let of_ten_million = seconds * 1e7 / synthetic.events as f64;
        rows.push(Row::at_most("report over 10 M events", of_ten_million, 3.0, " s"));
    }
    for attempts in [1_000_000, 2_000_000] {
        if let Some(open) = find(&works::open(attempts).name) {
            let row = Row::at_most(open.name.clone(), open.peak_mib(), 200.0, " MiB");
            let (now, evicted) = (&open.last["open"], &open.last["evicted"]);
            let words = format!("{:.0} MiB, {now} open, {evicted} evicted (bindings too)", open.peak_mib());
            rows.push(row.measured(words));
        }
    }
    rows.extend(works::PEERS.iter().filter(|peer| peer.target > 0.0).map(|peer| {
        let what = format!("faster than {}", peer.name);
        match faster.iter().find(|(name, _)| *name == what) {
            Some((_, ratio)) => Row::at_least(what, *ratio, peer.target, " x"),
            None => Row::skipped(what, format!("at least {} x", peer.target), "not installed"),
        }
    }));
    for trace in [Some(synthetic), recorded].into_iter().flatten() {
        rows.push(Row::at_most(format!("{}: trace size", trace.name), trace.bytes_per_event(), 16.0, " bytes/event"));
    }
    rows
}
