//! `cargo xtask bench replay`: how fast traces are read, and with how much memory, beside tshark.
//!
//! Each measurement is a process of its own (`tracer/examples/replay_stages.rs`), so that CPU time and peak memory are its
//! own too.

mod measured;
mod stages;

use std::process::ExitCode;

use anyhow::{Context, Result};

use self::stages::{Stages, Work};
use super::guest;
use super::table::{self, Row};
use crate::paths;
use crate::vm::{self, Kernel};

/// Measure how fast replay, report and infer read traces, compared with targets and other tools
#[derive(clap::Args)]
pub struct Args {
    /// Number of events in the synthetic trace
    #[arg(long, default_value_t = 10_000_000)]
    events: u64,
    /// Number of rounds [default: 5; with --vm, 1]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: Option<u32>,
    /// Run in a QEMU guest with this kernel, where time is the number of instructions
    #[arg(long, value_name = "KERNEL", value_parser = vm::find)]
    vm: Option<&'static Kernel>,
    /// Already in the guest
    #[arg(long, hide = true)]
    inside: bool,
}

/// Finds the retransmitted SYNs in the packets of the same connections, those of pods and of the uplink.
const TSHARK: &str = "tshark";
const RETRANSMITTED: &str = "tcp.analysis.retransmission && tcp.flags.syn==1 && tcp.srcport<32768";
const FIELDS: &[&str] = &["-T", "fields", "-e", "ip.src", "-e", "tcp.srcport", "-e", "ip.dst"];
/// What tshark is compared with: it prints the same retransmits, with cause and advice.
const BESIDE_TSHARK: &str = "beside tshark: replay, text";
const PACKETS: &str = "beside tshark: replay of its packets";
const JUDGE: &str = "decode + join + causes";
const REPORT: &str = "report";
/// Attempts in progress in the synthetic trace.
const OPEN: &str = "35000";

const EVENTS_PER_US_TARGET: f64 = 10.0;
const REPORT_TARGET_S: f64 = 3.0;
const OPEN_TARGET_MIB: f64 = 200.0;
const TSHARK_TARGET: f64 = 100.0;
const PACKETS_TARGET: f64 = 20.0;
const BYTES_TARGET: f64 = 16.0;

pub fn run(args: &Args) -> Result<ExitCode> {
    let stages = if args.inside { Stages::installed() } else { Stages::build()? };
    match args.vm {
        Some(kernel) if !args.inside => guest::run(kernel, "", "", None, vec![stages.stages, stages.snatrace], TSHARK),
        Some(_) | None => measure(args, &stages),
    }
}

fn measure(args: &Args, stages: &Stages) -> Result<ExitCode> {
    let few = args.events / 4;
    let made = stages.make(args.events, &["--trace", "synthetic.trace", "--open", OPEN])?;
    stages.make(few, &["--trace", "few.trace", "--both-sides", "few.pcap"])?;

    let mut works = vec![
        Work::stage("decode", args.events, &["decode", "synthetic.trace"]),
        Work::stage(JUDGE, args.events, &["judge", "synthetic.trace"]),
        stages.snatrace("infer", args.events, &["infer", "synthetic.trace"]),
        stages.snatrace(REPORT, args.events, &["report", "synthetic.trace"]),
        stages.snatrace("replay, text", args.events, &["replay", "synthetic.trace"]),
        stages.snatrace("replay, JSON", args.events, &["replay", "-o", "json", "synthetic.trace"]),
    ];
    match paths::program(TSHARK) {
        Some(program) => {
            works.push(stages.snatrace(BESIDE_TSHARK, few, &["replay", "few.trace"]));
            works.push(stages.snatrace(PACKETS, few, &["replay", "few.pcap"]));
            let start = ["run", "--", &program.to_string_lossy(), "-r", "few.pcap", "-Y", RETRANSMITTED];
            works.push(Work::stage(TSHARK, few, &[&start, FIELDS].concat()));
        }
        None => eprintln!("tshark: skipped: tshark is not installed"),
    }
    let open = [1_000_000_u64, 2_000_000].map(|attempts| {
        let name = format!("{} M attempts in progress", attempts / 1_000_000);
        Work::stage(&name, attempts * 2, &["open", &attempts.to_string()])
    });
    let open_names = open.each_ref().map(|work| work.name.clone());
    works.extend(open);

    // Counted instructions repeat.
    let rounds = args.rounds.unwrap_or(if args.inside { 1 } else { 5 });
    let measured = measured::measure(stages, works, rounds)?;
    println!("{}", measured::table(&measured));
    if args.inside {
        println!("An instruction takes a nanosecond here.");
        return Ok(ExitCode::SUCCESS);
    }
    let find = |name: &str| measured.iter().find(|measured| measured.work.name == name);
    let need = |name: &str| find(name).with_context(|| format!("{name} was not measured"));
    let bytes = made["bytes"].as_f64().context("replay_stages reported no size")? / args.events as f64;
    let report_s = need(REPORT)?.median("wall_s") * 1e7 / args.events as f64;
    let mut rows = vec![
        Row::at_least(format!("{JUDGE}, one core"), need(JUDGE)?.events_per_us(), EVENTS_PER_US_TARGET, " M events/s"),
        Row::at_most("report over 10 M events", report_s, REPORT_TARGET_S, " s"),
        Row::at_most("synthetic trace", bytes, BYTES_TARGET, " bytes/event"),
    ];
    for name in open_names {
        let open = need(&name)?;
        let words =
            format!("{:.0} MiB, {} open, {} evicted", open.median("peak_mib"), open.last["open"], open.last["evicted"]);
        rows.push(Row::at_most(name, open.median("peak_mib"), OPEN_TARGET_MIB, " MiB").measured(words));
    }
    for (of, beside, target) in
        [("replay", BESIDE_TSHARK, TSHARK_TARGET), ("replay of packets", PACKETS, PACKETS_TARGET)]
    {
        let name = format!("{of} faster than tshark");
        rows.push(match find(TSHARK) {
            Some(tshark) => {
                let ratio = tshark.median("wall_s") / need(beside)?.median("wall_s");
                Row::at_least(name, ratio, target, " x")
            }
            None => Row::skipped(name, "tshark is not installed"),
        });
    }
    println!("{}", table::of_targets(&rows));
    Ok(ExitCode::SUCCESS)
}
