//! CPU per connection at maximum rate, latency at half of it: what snatrace costs the connections it watches.

use std::path::Path;

use anyhow::Result;

use super::pairs::{Figure, Pairs};
use super::storm::Storm;
use super::tools::{self, TAIL, Tool};
use super::{Bench, Report};
use crate::bench::figures::shown;
use crate::bench::table::Row;

const CPU_TARGET: f64 = 1.03;
/// Where there are kprobes, two more programs run for each connection.
const KPROBES_TARGET: f64 = 1.05;
/// Those that see NAT, or retransmits by a script.
const PEERS: &[&str] = &["tcpdump", "conntrack-new", "conntrack-all", "bpftrace-nat"];
const P99_TARGET: f64 = 1.02;
/// How far apart untraced windows may be for a target of a few percent to be judged at all.
const STEADY: f64 = 2.0;

/// As hard as possible, every tool.
pub fn cpu(bench: &Bench, report: &mut Report) -> Result<()> {
    let pairs = Pairs::measure(bench, None, &bench.tools)?;
    println!("\n{}", pairs.text());
    let has_kprobes = Path::new("/sys/bus/event_source/devices/kprobe").exists();
    let (mode, target) = if has_kprobes { ("kprobes", KPROBES_TARGET) } else { ("TC", CPU_TARGET) };
    for name in tools::OURS {
        let what = format!("CPU per connection at maximum storm, {mode}");
        report.row(row(&pairs, name, &what, target, cpu_figure(&pairs)));
    }
    report.rows.extend(PEERS.iter().filter_map(|peer| below(&pairs, peer)));
    let ratio = |tool: &&Tool| {
        let ratio = pairs.ratio(tool.name, cpu_figure(&pairs))?;
        Some((format!("CPU per connection, {}", tool.name), ratio.median))
    };
    report.ratios.extend(bench.tools.iter().filter_map(ratio));
    report.raw("cpu", pairs.json());
    Ok(())
}

/// At half of the rate that is possible without any tool, so that nothing queues but by what a tool does.
pub fn latency(bench: &Bench, report: &mut Report) -> Result<()> {
    let most = Storm::start(bench, None)?.window(bench.plan.window, None)?.rate;
    let pairs = Pairs::measure(bench, Some((most / 2.0) as u32), &bench.tools)?;
    println!("\n{}", pairs.text());
    report.row(row(&pairs, TAIL, "p99 connect latency at half of the maximum", P99_TARGET, |window| window.p99_us));
    report.raw("latency", pairs.json());
    Ok(())
}

/// What tail has to stay below; nothing for a peer that did not run.
fn below(pairs: &Pairs, peer: &str) -> Option<Row> {
    let ratio = |tool| pairs.ratio(tool, cpu_figure(pairs)).map(|ratio| ratio.median);
    let (ours, theirs) = (ratio(TAIL)?, ratio(peer)?);
    Some(Row::at_most(format!("the same, tail beside {peer}"), ours, theirs, " x"))
}

/// Of the whole machine, unless others use it: then of the processes and kernel threads of the measurement.
fn cpu_figure(pairs: &Pairs) -> Figure {
    if pairs.is_quiet() { |window| window.cpu_us } else { |window| window.own_cpu_us }
}

fn row(pairs: &Pairs, tool: &str, what: &str, target: f64, figure: Figure) -> Row {
    let what = format!("{what}, {tool}");
    let Some(ratio) = pairs.ratio(tool, figure) else {
        return Row::skipped(what, format!("at most {target} x"), pairs.skipped(tool).unwrap_or("not asked for"));
    };
    let busy = if pairs.is_quiet() { "" } else { " (others use this machine)" };
    let measured = format!("{} x{busy}", shown(Some(ratio), 3));
    let row = match pairs.untraced(figure).map(|untraced| untraced.max / untraced.min) {
        Some(apart) if apart > STEADY => {
            let why = format!("untraced windows alone are up to {apart:.1} x apart, so this machine cannot tell");
            Row::skipped(what, format!("at most {target} x"), why)
        }
        Some(_) | None => Row::at_most(what, ratio.median, target, " x"),
    };
    row.measured(measured)
}
