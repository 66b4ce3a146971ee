//! Memory of tail with a million attempts in progress, and with two million, of which it evicts the older half.
//!
//! The attempts are SYNs of `snatrace-lab traffic --flood`, past conntrack, whose table would fill long before. Before them come
//! as many connections through NAT as bindings are kept.

use std::thread;

use anyhow::{Context, Result};

use super::Bench;
use super::running::Running;
use super::storm::Storm;
use super::tools::{self, TAIL};
use crate::bench::table::Row;
use crate::process;

/// The default limit of attempts.
const MAX_ATTEMPTS: u32 = 1_000_000;
/// The default limit of bindings.
const MAX_BINDINGS: f64 = 131_072.0;
const TARGET_MIB: f64 = 200.0;
/// The port of the flood.
const DISCARD_PORT: u16 = 9;

pub fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let rules = format!(
        "add table inet quiet; add chain inet quiet output {{ type filter hook output priority raw; }}; \
         add rule inet quiet output tcp dport {DISCARD_PORT} notrack"
    );
    process::output(bench.lab.command(&bench.lab.node, "nft").arg(rules))?;
    [1, 2].into_iter().map(|millions| row(bench, millions)).collect()
}

fn row(bench: &Bench, millions: u32) -> Result<Row> {
    bench.progress(&format!("memory: {millions} M attempts"));
    let running = Running::start(bench, tools::find(TAIL).map_err(anyhow::Error::msg)?)?;
    let (mut storm, mut bindings) = (Storm::start(bench, None)?, 0.0);
    while bindings < MAX_BINDINGS {
        bindings += storm.window(bench.window, None)?.established;
    }
    drop(storm);
    let mut flood = bench.lab.command(&bench.lab.node, &bench.lab.program);
    process::output(flood.args(["traffic", "--flood", &(millions * MAX_ATTEMPTS).to_string()]))?;
    thread::sleep(bench.settle);
    let dir = running.dir.clone();
    let peak_mib = running.end()?.peak_kib.context("cannot read the peak memory of tail")? as f64 / 1024.0;
    let summary = tools::summary_of_tail(&dir).context("tail wrote no summary")?;
    let words = format!("{peak_mib:.0} MiB; {} attempts, {} evicted", summary["attempts"], summary["evicted"]);
    let what = format!("peak memory of tail, {millions} M attempts in progress");
    Ok(Row::at_most(what, peak_mib, TARGET_MIB, " MiB").measured(words))
}
