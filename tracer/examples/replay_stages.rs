//! What `cargo xtask bench replay` runs for one measurement each: a stage on its own, or a program, in a process of its
//! own so that its peak memory is its own too. Writes one line of JSON.

#![allow(clippy::print_stdout, reason = "a measurement, not the product")]

#[path = "replay_stages/packets.rs"]
mod packets;
#[path = "../benches/synthetic/mod.rs"]
mod synthetic;
#[path = "replay_stages/usage.rs"]
mod usage;

use std::hint::black_box;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use serde_json::{Value, json};
use snatrace::causes::{self, Case};
use snatrace::join::{Joins, Update};
use snatrace::model::Capture;
use snatrace::pcap::PacketOptions;
use snatrace::source;
use snatrace::store::Writer;
use synthetic::{OPEN_PER_RATE, Traffic, beginning, capture};
use tracer_common::Event;

#[derive(Parser)]
enum Stage {
    /// Write a synthetic trace, and the packets of its connections
    Make {
        #[arg(long)]
        events: usize,
        /// Attempts under way at once
        #[arg(long, default_value_t = 35_000)]
        open: u64,
        #[arg(long)]
        trace: PathBuf,
        /// As the uplink and the pods' interfaces see them
        #[arg(long)]
        both_sides: Option<PathBuf>,
    },
    /// Decode alone
    Decode { trace: PathBuf },
    /// Decode, join and causes
    Judge { trace: PathBuf },
    /// Begin attempts that never end
    Open { attempts: u64 },
    /// Any program
    Run {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<std::ffi::OsString>,
    },
}

fn main() -> ExitCode {
    match run(Stage::parse()) {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(stage: Stage) -> Result<Value> {
    match stage {
        Stage::Make { events, open, trace, both_sides } => {
            let traffic = Traffic::at_rate((open as f64 / OPEN_PER_RATE) as u64).take(events);
            let mut packets = packets::Packets::create(both_sides.as_deref())?;
            let mut writer = Writer::create(&trace, &capture())?;
            for event in traffic {
                writer.write(&event)?;
                packets.write(&event)?;
            }
            packets.finish()?;
            Ok(json!({ "bytes": writer.finish()?.bytes }))
        }
        Stage::Decode { trace } => usage::of_this(|| decode(&trace, |_| {})),
        Stage::Judge { trace } => usage::of_this(|| judge(&trace)),
        Stage::Open { attempts } => usage::of_this(|| Ok(open(attempts))),
        Stage::Run { command } => usage::of_program(&command),
    }
}

fn decode(trace: &PathBuf, mut take: impl FnMut(&[(u32, Event)])) -> Result<Value> {
    let (mut traces, mut batch) = (source::open(std::slice::from_ref(trace), &PacketOptions::default())?, Vec::new());
    while traces.next_batch(&mut batch)? {
        take(&batch);
        black_box(&batch);
    }
    Ok(json!({ "events": traces.report().events }))
}

/// What the pipeline does before it counts and shows.
fn judge(trace: &PathBuf) -> Result<Value> {
    let capture = source::open(std::slice::from_ref(trace), &PacketOptions::default())?
        .captures()
        .first()
        .cloned()
        .context("a trace has a capture")?;
    let (mut join, mut max_open, mut flagged, mut updates) = (Joins::new(1), 0, 0_usize, Vec::new());
    let mut judge = |updates: &mut Vec<(u32, Update)>| {
        flagged += updates.iter().filter(|(_, update)| is_flagged(&capture, update)).count();
        updates.clear();
    };
    let result = decode(trace, |batch| {
        let mut rest = batch;
        while !rest.is_empty() {
            let taken = join.take(rest, &mut updates);
            rest = rest.get(taken..).unwrap_or_default();
            judge(&mut updates);
        }
        max_open = max_open.max(join.open());
    })?;
    loop {
        join.finish(&mut updates);
        if updates.is_empty() {
            break;
        }
        judge(&mut updates);
    }
    Ok(json!({ "events": result["events"], "open": max_open, "flagged": flagged, "evicted": join.evicted() }))
}

fn is_flagged(capture: &Capture, update: &Update) -> bool {
    let Update::Attempt { id: _, kind: _, attempt } = update else { return false };
    let case = Case::new(attempt, capture);
    if attempt.retransmits == 0 && !causes::has_failed(&case) {
        return false;
    }
    let flagged = causes::is_flagged(&case);
    black_box(causes::cause_of(&case));
    flagged
}

/// All are begun before the first of them is due to be sent again.
fn open(attempts: u64) -> Value {
    let (mut join, mut events, mut updates) = (Joins::new(1), 0_u64, Vec::new());
    for event in (0..attempts).flat_map(beginning) {
        events += 1;
        while join.take(&[(0, event)], &mut updates) == 0 {
            updates.clear();
        }
        black_box(&updates);
        updates.clear();
    }
    json!({ "events": events, "open": join.open(), "evicted": join.evicted() })
}
