//! What snatrace costs the connections it watches: CPU, rate and latency of a storm with a tool, beside the same without.
//!
//! Windows alternate (without, with, without, ...), and each traced one is divided by the mean of the untraced ones around
//! it, so that a drift of the machine cancels out.

use std::path::Path;

use anyhow::{Context, Result, bail};

use super::Bench;
use super::running::Running;
use super::storm::{Storm, Window};
use super::tools::{self, RECORD, TAIL, TAIL_METRICS, Tool};
use crate::bench::spread::{Spread, shown};
use crate::bench::table::{self, Row};

/// CPU per connection, with a tool to without.
const CPU_TARGET: f64 = 1.03;
/// With kprobes two more programs run for each connection.
const CPU_TARGET_KPROBES: f64 = 1.05;
/// Of `tail`, with metrics to without.
const METRICS_TARGET: f64 = 1.005;
/// Untraced windows further apart than this cannot show a few percent.
const MAX_UNTRACED_RATIO: f64 = 2.0;
/// Processors that others use; interrupts and kernel threads of a quiet machine are far below.
const QUIET_CPUS: f64 = 0.15;

type Figure = fn(&Window) -> f64;

const CPU: Figure = |window| window.cpu_us;
const OWN_CPU: Figure = |window| window.own_cpu_us;

/// All windows of one tool.
struct Measured {
    tool: &'static Tool,
    pairs: Vec<Pair>,
    peak_kib: u64,
    lost: Option<u64>,
    skipped: Option<String>,
}

/// A traced window and the untraced ones around it.
struct Pair {
    before: Window,
    with: Window,
    after: Window,
}

pub fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let measured = windows(bench)?;
    let untraced =
        |figure: Figure| Spread::of(measured.iter().flat_map(|tool| &tool.pairs).map(|pair| figure(&pair.before)));
    let others = untraced(|window| window.foreign_cpus);
    println!(
        "\nuntraced: CPU {} us/conn, {} conn/s, p50 {} us, p99 {} us, CPUs used by others {}\n{}",
        shown(untraced(CPU), 1),
        shown(untraced(|window| window.rate), 0),
        shown(untraced(|window| window.p50_us), 0),
        shown(untraced(|window| window.p99_us), 0),
        shown(others, 2),
        text(&measured)
    );
    let is_quiet = bench.alone || others.is_some_and(|others| others.median < QUIET_CPUS);
    // Where others use the machine, only the CPU of the measured processes and of the kernel's packet threads counts.
    let figure = if is_quiet { CPU } else { OWN_CPU };
    let spread = untraced(figure).context("no tool could be measured")?;
    if spread.max / spread.min > MAX_UNTRACED_RATIO {
        let why = format!("untraced windows are up to {:.1} x apart", spread.max / spread.min);
        return Ok(vec![Row::skipped("CPU per connection", why)]);
    }
    let ratio = |name| measured.iter().find(|tool| tool.tool.name == name)?.ratio(figure);
    let target = if has_kprobes() { CPU_TARGET_KPROBES } else { CPU_TARGET };
    let busy = if is_quiet { "" } else { " (other programs use this machine)" };
    let ours = [TAIL, RECORD].into_iter().filter_map(|name| {
        let (what, ratio) = (format!("CPU per connection, {name}"), ratio(name)?);
        Some(Row::at_most(what, ratio.median, target, " x").measured(format!("{ratio:.3} x{busy}")))
    });
    let with_metrics = ratio(TAIL_METRICS).zip(ratio(TAIL)).map(|(with, without)| {
        Row::at_most(
            format!("CPU per connection, {TAIL_METRICS} beside {TAIL}"),
            with.median / without.median,
            METRICS_TARGET,
            " x",
        )
    });
    let others = tools::ALL.iter().map(|tool| tool.name).filter(|name| ![TAIL, TAIL_METRICS, RECORD].contains(name));
    let beside = others.filter_map(|name| {
        let what = format!("CPU per connection, {TAIL} beside {name}");
        Some(Row::at_most(what, ratio(TAIL)?.median, ratio(name)?.median, " x"))
    });
    Ok(ours.chain(with_metrics).chain(beside).collect())
}

fn windows(bench: &Bench) -> Result<Vec<Measured>> {
    let new = |&tool: &&'static Tool| Measured { tool, pairs: Vec::new(), peak_kib: 0, lost: None, skipped: None };
    let mut measured: Vec<Measured> = bench.tools.iter().map(new).collect();
    let mut storm = Storm::start(bench, bench.rate)?;
    let mut before = storm.window(bench.window, None)?;
    for round in 1..=bench.rounds {
        for tool in measured.iter_mut().filter(|tool| tool.skipped.is_none()) {
            bench.progress(&format!("round {round} of {}: {}", bench.rounds, tool.tool.name));
            match Running::start(bench, tool.tool) {
                Ok(running) => {
                    let with = tool.window(bench, &mut storm, running)?;
                    let after = storm.window(bench.window, None)?;
                    tool.pairs.push(Pair { before, with, after });
                    before = after;
                }
                Err(error) => tool.skipped = Some(format!("{error:#}")),
            }
        }
    }
    Ok(measured)
}

fn text(measured: &[Measured]) -> String {
    let head =
        ["tool", "CPU/conn x", "own CPU x", "tool us/conn", "conn/s x", "p50 x", "p99 x", "peak MiB", "lost", "sees"];
    let (skipped, measured): (Vec<_>, Vec<_>) = measured.iter().partition(|tool| tool.pairs.is_empty());
    let mut text = table::aligned(&head, &measured.iter().map(|tool| tool.cells()).collect::<Vec<_>>());
    for tool in skipped {
        text += &format!("skipped: {}: {}\n", tool.tool.name, tool.skipped.as_deref().unwrap_or("no round ran"));
    }
    text
}

fn has_kprobes() -> bool {
    Path::new("/sys/bus/event_source/devices/kprobe").exists()
}

impl Measured {
    fn window(&mut self, bench: &Bench, storm: &mut Storm, running: Running<'_>) -> Result<Window> {
        storm.window(bench.settle, Some(running.pid()))?;
        let with = storm.window(bench.window, Some(running.pid()))?;
        let ended = running.end().with_context(|| format!("cannot end {}", self.tool.name))?;
        if !ended.status.success() && [TAIL, TAIL_METRICS, RECORD].contains(&self.tool.name) {
            bail!("{} failed: {}", self.tool.name, ended.status);
        }
        self.peak_kib = self.peak_kib.max(ended.peak_kib.unwrap_or(0));
        self.lost = ended.lost.map(|lost| lost + self.lost.unwrap_or(0)).or(self.lost);
        Ok(with)
    }

    fn ratio(&self, figure: Figure) -> Option<Spread> {
        let ratio = |pair: &Pair| figure(&pair.with) / f64::midpoint(figure(&pair.before), figure(&pair.after));
        Spread::of(self.pairs.iter().map(ratio))
    }

    fn cells(&self) -> Vec<String> {
        let ratio = |figure: Figure| shown(self.ratio(figure), 3);
        vec![
            self.tool.name.to_owned(),
            ratio(CPU),
            ratio(OWN_CPU),
            shown(Spread::of(self.pairs.iter().map(|pair| pair.with.tool_us)), 2),
            ratio(|window| window.rate),
            ratio(|window| window.p50_us),
            ratio(|window| window.p99_us),
            format!("{:.1}", self.peak_kib as f64 / 1024.0),
            self.lost.map_or_else(|| "unknown".to_owned(), |lost| lost.to_string()),
            self.tool.sees.to_owned(),
        ]
    }
}
