//! A, B, A, B, A: each traced window between two untraced ones, so that what drifts on the machine cancels out.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::Bench;
use super::running::Running;
use super::storm::{Storm, Window};
use super::tools::{self, Tool};
use crate::bench::figures::{Spread, shown};
use crate::bench::table;

/// All that was measured of some tools under one load.
pub struct Pairs {
    /// Connections a second that were asked for; as many as possible without it.
    pub rate: Option<u32>,
    alone: bool,
    tools: Vec<Measured>,
}

/// One tool.
struct Measured {
    tool: &'static Tool,
    pairs: Vec<Pair>,
    peak_kib: u64,
    lost: Option<u64>,
    skipped: Option<String>,
}

/// A traced window and the untraced ones around it.
#[derive(Clone, Copy)]
struct Pair {
    before: Window,
    with: Window,
    after: Window,
}

/// Interrupts, idle entry and kernel threads of a quiet machine are far below.
const QUIET_CPUS: f64 = 0.15;

/// What of a window is compared.
pub type Figure = fn(&Window) -> f64;

impl Pairs {
    /// As many rounds as planned over all these tools.
    pub fn measure(bench: &Bench, rate: Option<u32>, tools: &[&'static Tool]) -> Result<Self> {
        let mut storm = Storm::start(bench, rate)?;
        let mut measured: Vec<Measured> = tools.iter().map(|tool| Measured::new(tool)).collect();
        let mut before = storm.window(bench.plan.window, None)?;
        for round in 1..=bench.plan.rounds {
            for entry in &mut measured {
                bench.progress(&format!("round {round} of {}: {}", bench.plan.rounds, entry.tool.name));
                let Some(with) = entry.measure(bench, &mut storm)? else { continue };
                let after = storm.window(bench.plan.window, None)?;
                entry.pairs.push(Pair { before, with, after });
                before = after;
            }
        }
        Ok(Self { rate, alone: bench.alone, tools: measured })
    }

    /// The ratios of a tool to the mean of the untraced windows around it.
    pub fn ratio(&self, tool: &str, figure: Figure) -> Option<Spread> {
        let measured = self.tools.iter().find(|measured| measured.tool.name == tool)?;
        Spread::of(measured.pairs.iter().map(|pair| pair.ratio(figure)))
    }

    pub fn skipped(&self, tool: &str) -> Option<&str> {
        self.tools.iter().find(|measured| measured.tool.name == tool)?.skipped.as_deref()
    }

    /// A figure of all untraced windows but the last.
    pub fn untraced(&self, figure: Figure) -> Option<Spread> {
        Spread::of(self.tools.iter().flat_map(|measured| &measured.pairs).map(|pair| figure(&pair.before)))
    }

    /// Whether the machine had little else to do: only then figures of the whole machine are those of the load.
    pub fn is_quiet(&self) -> bool {
        self.alone || self.untraced(|window| window.foreign).is_some_and(|foreign| foreign.median < QUIET_CPUS)
    }

    /// The table of tools, and those that were skipped.
    pub fn text(&self) -> String {
        let head = [
            "tool",
            "CPU/conn x",
            "own CPU x",
            "tool us/conn",
            "conn/s x",
            "p50 x",
            "p99 x",
            "memory MiB",
            "lost",
            "sees",
        ];
        let (skipped, measured): (Vec<_>, Vec<_>) = self.tools.iter().partition(|measured| measured.pairs.is_empty());
        let mut text = self.title();
        text += &table::aligned(&head, &measured.iter().map(|measured| self.row(measured)).collect::<Vec<_>>());
        for measured in skipped {
            let why = measured.skipped.as_deref().unwrap_or("no round was made");
            text += &format!("skipped: {}: {why}\n", measured.tool.name);
        }
        text
    }

    fn title(&self) -> String {
        let load = self.rate.map_or_else(|| "maximum rate".to_owned(), |rate| format!("{rate} connections/s"));
        let of = |figure: Figure, digits| shown(self.untraced(figure), digits);
        format!(
            "{load}; untraced: CPU {} us/conn (own {}), {} conn/s, p50 {} us, p99 {} us, CPU of others {} (CPUs)\n",
            of(|window| window.cpu_us, 1),
            of(|window| window.own_cpu_us, 1),
            of(|window| window.rate, 0),
            of(|window| window.p50_us, 0),
            of(|window| window.p99_us, 0),
            of(|window| window.foreign, 2),
        )
    }

    fn row(&self, measured: &Measured) -> Vec<String> {
        let ratio = |figure: Figure| shown(self.ratio(measured.tool.name, figure), 3);
        vec![
            measured.tool.name.to_owned(),
            ratio(|window| window.cpu_us),
            ratio(|window| window.own_cpu_us),
            shown(Spread::of(measured.pairs.iter().map(|pair| pair.with.tool_us)), 2),
            ratio(|window| window.rate),
            ratio(|window| window.p50_us),
            ratio(|window| window.p99_us),
            format!("{:.1}", measured.peak_kib as f64 / 1024.0),
            measured.lost.map_or_else(|| "unknown".to_owned(), |lost| lost.to_string()),
            measured.tool.sees.to_owned(),
        ]
    }

    pub fn json(&self) -> Value {
        let tools: BTreeMap<_, _> =
            self.tools.iter().map(|measured| (measured.tool.name, self.tool_json(measured))).collect();
        json!({ "rate": self.rate, "tools": tools })
    }

    fn tool_json(&self, measured: &Measured) -> Value {
        let ratios = |figure: Figure| self.ratio(measured.tool.name, figure).map(|spread| spread.json());
        json!({
            "cpu_ratio": ratios(|window| window.cpu_us),
            "own_cpu_ratio": ratios(|window| window.own_cpu_us),
            "rate_ratio": ratios(|window| window.rate),
            "p50_ratio": ratios(|window| window.p50_us),
            "p99_ratio": ratios(|window| window.p99_us),
            "peak_kib": measured.peak_kib,
            "lost": measured.lost,
            "skipped": measured.skipped,
            "pairs": measured.pairs.iter().map(Pair::json).collect::<Vec<_>>(),
        })
    }
}

impl Measured {
    fn new(tool: &'static Tool) -> Self {
        Self { tool, pairs: Vec::new(), peak_kib: 0, lost: None, skipped: None }
    }

    /// One window with it, or none once it is skipped.
    fn measure(&mut self, bench: &Bench, storm: &mut Storm) -> Result<Option<Window>> {
        if self.skipped.is_some() {
            return Ok(None);
        }
        let running = match Running::start(bench, self.tool) {
            Ok(running) => running,
            Err(error) => {
                self.skipped = Some(format!("{error:#}"));
                return Ok(None);
            }
        };
        storm.window(bench.plan.settle, Some(running.pid()))?;
        let with = storm.window(bench.plan.window, Some(running.pid()))?;
        let ended = running.end().with_context(|| format!("{} cannot be ended", self.tool.name))?;
        if !ended.status.success() && tools::OURS.contains(&self.tool.name) {
            bail!("{} failed: {}", self.tool.name, ended.status);
        }
        self.peak_kib = self.peak_kib.max(ended.peak_kib.unwrap_or(0));
        self.lost = ended.lost.map(|lost| lost + self.lost.unwrap_or(0)).or(self.lost);
        Ok(Some(with))
    }
}

impl Pair {
    fn ratio(&self, figure: Figure) -> f64 {
        figure(&self.with) / f64::midpoint(figure(&self.before), figure(&self.after))
    }

    fn json(&self) -> Value {
        let [before, with, after] = [self.before, self.with, self.after].map(|window| window.json());
        json!({ "before": before, "with": with, "after": after })
    }
}
