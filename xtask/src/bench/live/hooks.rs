//! What one invocation of each program costs, by the kernel's own statistics, beside a program that does nothing.

use std::thread;

use anyhow::{Context, Result};
use serde_json::json;

use super::bpf::{self, Empty, Hook, Stats};
use super::lab::within;
use super::running::Running;
use super::storm::Storm;
use super::tools::{self, TAIL};
use super::{Bench, Report, bulk};
use crate::bench::figures::Spread;
use crate::bench::table::{self, Row};

const WIRE_TARGET_NS: f64 = 10.0;

/// The hooks of snatrace's programs, by the beginning of their names.
const HOOKS: &[(&str, Hook)] = &[
    ("syn_retransmit", Hook::RawTracepoint(c"tcp_retransmit_skb")),
    ("sock_state", Hook::RawTracepoint(c"inet_sock_set_state")),
    ("ct_drop", Hook::RawTracepoint(c"kfree_skb")),
    ("nat_bind", Hook::Kprobe(c"__nf_conntrack_confirm")),
    ("nat_select", Hook::Kprobe(c"nf_nat_setup_info")),
    ("wire_ingress", Hook::TcIngress),
    ("wire_egress", Hook::TcEgress),
];

/// One program beside its empty one, means of one round.
struct Slice {
    name: String,
    runs: u64,
    ns: f64,
    empty_ns: Option<f64>,
}

/// The same, medians of all rounds.
struct Cost {
    name: String,
    runs: u64,
    ns: Option<f64>,
    empty_ns: Option<f64>,
    own_ns: Option<f64>,
}

pub fn measure(bench: &Bench, report: &mut Report) -> Result<()> {
    let _kept = bpf::keep_stats()?;
    let before: Vec<u32> = bpf::programs()?.iter().map(|program| program.id).collect();
    let running = Running::start(bench, tools::find(TAIL).map_err(anyhow::Error::msg)?)?;
    let ours: Vec<u32> = bpf::programs()?.iter().map(|program| program.id).filter(|id| !before.contains(id)).collect();
    let empties = empties(bench);
    let mut storm = Storm::start(bench, None)?;
    let storming = costs(bench, &ours, &empties, || storm.window(bench.plan.window, Some(running.pid())).map(drop))?;
    drop(storm);
    let flowing = bulk::during(&bench.lab, || {
        costs(bench, &ours, &empties, || {
            thread::sleep(bench.plan.window);
            Ok(())
        })
    })?;
    running.end()?;
    for (title, costs) in [("storm", &storming), ("bulk data", &flowing)] {
        println!("\n{} per invocation, {title}\n{}", bench.unit(), text(costs));
        let raw: Vec<_> = costs.iter().map(Cost::json).collect();
        report.raw(&format!("hooks, {title}"), json!(raw));
    }
    // The target is about time.
    if !bench.alone {
        report.rows.extend(["wire_ingress", "wire_egress"].map(|name| row(name, &flowing)));
    }
    Ok(())
}

/// Those that can be attached here; a hook that this kernel does not have has no program of ours either.
fn empties(bench: &Bench) -> Vec<Empty> {
    let mut empties = Vec::new();
    for &(_, hook) in HOOKS {
        match within(&bench.lab.node, || Empty::attach(hook, "eth0")) {
            Ok(empty) => empties.push(empty),
            Err(error) => bench.progress(&format!("{error:#}")),
        }
    }
    empties
}

/// What each program did while this ran, several times: the median does not know of what interrupted a program.
fn costs(bench: &Bench, ours: &[u32], empties: &[Empty], mut run: impl FnMut() -> Result<()>) -> Result<Vec<Cost>> {
    let mut slices = Vec::new();
    for _ in 0..bench.plan.rounds {
        slices.push(slice(ours, empties, &mut run)?);
    }
    let first = slices.first().context("no round was made")?;
    let median = |of: &dyn Fn(&Slice) -> Option<f64>, name: &str| {
        let same = slices.iter().flatten().filter(|slice| slice.name == name && slice.runs > 0);
        Spread::of(same.filter_map(of)).map(|spread| spread.median)
    };
    let costs = first.iter().map(|slice| Cost {
        name: slice.name.clone(),
        runs: slices.iter().flatten().filter(|other| other.name == slice.name).map(|slice| slice.runs).sum(),
        ns: median(&|slice| Some(slice.ns), &slice.name),
        empty_ns: median(&|slice| slice.empty_ns, &slice.name),
        own_ns: median(&|slice| slice.empty_ns.map(|empty| slice.ns - empty), &slice.name),
    });
    Ok(costs.collect())
}

fn slice(ours: &[u32], empties: &[Empty], run: &mut impl FnMut() -> Result<()>) -> Result<Vec<Slice>> {
    let all = || empties.iter().map(Empty::stats).collect::<Result<Vec<_>>>();
    let (before, empty_before) = (bpf::programs()?, all()?);
    run()?;
    let (after, empty_after) = (bpf::programs()?, all()?);
    let mean = |before: &Stats, after: &Stats| {
        let runs = after.runs - before.runs;
        (runs, (after.ns - before.ns) as f64 / runs.max(1) as f64)
    };
    let empty_ns = |name: &str| {
        let (_, hook) = HOOKS.iter().find(|(stem, _)| name.starts_with(stem))?;
        let index = empties.iter().position(|empty| empty.hook == *hook)?;
        Some(mean(empty_before.get(index)?, empty_after.get(index)?).1)
    };
    let of_ours = after.iter().filter(|program| ours.contains(&program.id));
    let slices = of_ours.map(|after| {
        let before = before.iter().find(|before| before.id == after.id).context("a program of ours went away")?;
        let (runs, ns) = mean(before, after);
        Ok(Slice { name: after.name.clone(), runs, ns, empty_ns: empty_ns(&after.name) })
    });
    slices.collect()
}

fn text(costs: &[Cost]) -> String {
    let figure = |ns: Option<f64>| ns.map_or_else(|| "-".to_owned(), |ns| format!("{ns:.0}"));
    let row = |cost: &Cost| {
        vec![cost.name.clone(), cost.runs.to_string(), figure(cost.ns), figure(cost.empty_ns), figure(cost.own_ns)]
    };
    let rows: Vec<_> = costs.iter().filter(|cost| cost.runs > 0).map(row).collect();
    table::aligned(&["program", "runs", "all", "empty", "own"], &rows)
}

fn row(name: &str, costs: &[Cost]) -> Row {
    let what = format!("{name} on packets that are no SYN, above an empty TC program");
    match costs.iter().find(|cost| cost.name.starts_with(name)) {
        Some(Cost { ns: Some(ns), empty_ns: Some(empty), own_ns: Some(own), .. }) => {
            let measured = format!("{own:.1} ns ({ns:.1} against {empty:.1})");
            Row::at_most(what, *own, WIRE_TARGET_NS, " ns").measured(measured)
        }
        Some(_) | None => {
            Row::skipped(what, "at most 10 ns", "the program did not run, or no empty one could be attached")
        }
    }
}

impl Cost {
    fn json(&self) -> serde_json::Value {
        json!({ "program": self.name, "runs": self.runs, "ns": self.ns, "empty_ns": self.empty_ns, "own_ns": self.own_ns })
    }
}
