//! Writes the trace of one node of a synthetic fleet: five clusters of ten nodes, behind different filters. docs/scale.md uses it.
//!
//!     cargo run --release --example fleet_trace -- NODE ATTEMPTS FILE
#![allow(clippy::print_stdout, reason = "a tool for a guide, not the product")]

#[path = "../benches/synthetic/mod.rs"]
mod synthetic;

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Parser;
use snatrace::model::{Capture, HookState, OwnerAt};
use snatrace::store::Writer;
use synthetic::{Passes, START_NS, Traffic};

/// 2026-11-27 00:00 UTC
const MIDNIGHT_NS: i64 = 1_795_737_600_000_000_000;
/// Attempts a second.
const RATE: u64 = 200;
const HOUR_NS: u64 = 3_600_000_000_000;
const EVERYTHING: Passes = Passes { low: 0, high: u16::MAX, since_ns: 0 };
const USUAL: Passes = Passes { low: 32_768, high: u16::MAX, since_ns: 0 };
/// Each with its filter; of the first one node has none, and one another.
const CLUSTERS: [(&str, Passes); 5] = [
    ("fra", USUAL),
    ("hel", Passes { low: 10_000, high: 39_999, since_ns: 0 }),
    ("ams", EVERYTHING),
    ("sgp", Passes { since_ns: START_NS + HOUR_NS, ..USUAL }),
    ("nyc", EVERYTHING),
];
const WORKLOADS: [&str; 4] = ["checkout", "cart", "search", "mail"];

#[derive(Parser)]
struct Args {
    /// Ten in a row belong to one cluster; from 50 on clusters go round
    node: u32,
    attempts: u64,
    file: PathBuf,
}

fn main() -> Result<()> {
    let Args { node, attempts, file } = Args::parse();
    let (cluster, usual) = CLUSTERS.get(node as usize / 10 % CLUSTERS.len()).context("no cluster")?;
    let number = node / 50 * 10 + node % 10;
    let passes = match (*cluster, number) {
        ("fra", 3) => EVERYTHING,
        ("fra", 7) => Passes { low: 20_000, ..USUAL },
        _ => *usual,
    };
    let name = format!("{cluster}-{number:02}");
    let capture = Capture {
        node: name.clone(),
        session: 1_000 + u64::from(node),
        boot_unix_ns: MIDNIGHT_NS - START_NS.cast_signed(),
        hooks: ["nat_bind", "wire", "syn_retransmit", "sock_state"].map(on).to_vec(),
        owners: (0..synthetic::PODS).map(|pod| owner(&name, pod)).collect(),
        ..synthetic::capture()
    };
    let mut writer = Writer::create(&file, &capture)?;
    let mut traffic = Traffic::at_rate(RATE).of_node(node, passes);
    while traffic.begun() < attempts {
        let Some(event) = traffic.next() else { break };
        writer.write(&event)?;
    }
    let written = writer.finish()?;
    println!("{cluster} {name}: {} events in {} bytes", written.events, written.bytes);
    Ok(())
}

fn on(stem: &str) -> HookState {
    HookState { stem: stem.to_owned(), off: None }
}

fn owner(node: &str, pod: u32) -> OwnerAt {
    let workload = WORKLOADS[pod as usize % WORKLOADS.len()];
    let owner = format!("shop/{workload}-{node}-{pod:02}/app");
    OwnerAt { netns: synthetic::NODE_NETNS + 100 + pod, since_ns: 0, owner }
}
