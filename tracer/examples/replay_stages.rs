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
use snatrace::join::{FAR, Join, NEAR, Update};
use snatrace::model::Capture;
use snatrace::store::{Merged, Writer};
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
        /// As the uplink sees them
        #[arg(long)]
        uplink: Option<PathBuf>,
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
        Stage::Make { events, open, trace, uplink, both_sides } => {
            let traffic = Traffic::at_rate((open as f64 / OPEN_PER_RATE) as u64).take(events);
            let mut packets = packets::Packets::create(uplink.as_deref(), both_sides.as_deref())?;
            let mut writer = Writer::create(&trace, &capture())?;
            for event in traffic {
                writer.write(&event)?;
                packets.write(&event)?;
            }
            let written = writer.finish()?;
            Ok(json!({ "events": written.events, "bytes": written.bytes, "packets": packets.finish()? }))
        }
        Stage::Decode { trace } => usage::of_this(|| decode(&trace, |_| {})),
        Stage::Judge { trace } => usage::of_this(|| judge(&trace)),
        Stage::Open { attempts } => usage::of_this(|| Ok(open(attempts))),
        Stage::Run { command } => usage::of_program(&command),
    }
}

fn decode(trace: &PathBuf, mut take: impl FnMut(&[(u32, Event)])) -> Result<Value> {
    let (mut traces, mut batch) = (Merged::open(&[trace])?, Vec::new());
    while traces.next_batch(&mut batch)? {
        take(&batch);
        black_box(&batch);
    }
    Ok(json!({ "events": traces.report().events }))
}

/// What the pipeline does before it counts and shows.
fn judge(trace: &PathBuf) -> Result<Value> {
    let capture = Merged::open(&[trace])?.captures().first().cloned().context("a trace has a capture")?;
    let (mut join, mut most, mut flagged) = (Join::default(), 0, 0_u64);
    let result = decode(trace, |batch| {
        for (index, (_, event)) in batch.iter().enumerate() {
            batch.get(index + NEAR).inspect(|(_, event)| join.warm(event));
            batch.get(index + FAR).inspect(|(_, event)| join.foresee(event));
            join.event(event, &mut |update| flagged += u64::from(is_flagged(&capture, update)));
        }
        most = most.max(join.open());
    })?;
    join.finish(&mut |update| flagged += u64::from(is_flagged(&capture, update)));
    Ok(json!({ "events": result["events"], "open": most, "flagged": flagged, "evicted": join.evicted() }))
}

fn is_flagged(capture: &Capture, update: Update<'_>) -> bool {
    let attempt = update.snapshot.attempt();
    let case = Case::new(&attempt, capture);
    if attempt.retransmits == 0 && !causes::has_failed(&case) {
        return false;
    }
    let flagged = causes::is_flagged(&case);
    black_box(causes::cause_of(&case));
    flagged
}

/// All are begun before the first of them is due to be sent again.
fn open(attempts: u64) -> Value {
    let (mut join, mut events) = (Join::default(), 0_u64);
    for event in (0..attempts).flat_map(beginning) {
        events += 1;
        join.event(&event, &mut |update| ignore(&update));
    }
    json!({ "events": events, "open": join.open(), "evicted": join.evicted() })
}

fn ignore(update: &Update<'_>) {
    black_box(update);
}
