//! Runs each measurement in a process of its own, all of them in turn, round by round.

use anyhow::Result;
use serde_json::Value;

use super::stages::{Stages, Work};
use crate::bench::spread::{Spread, shown};
use crate::bench::table;

/// A shorter measurement is repeated in the same round: a moment says little of a shared machine.
const MIN_ROUND_S: f64 = 1.0;
/// Bounds the repeats of what takes very little time.
const MIN_RUN_S: f64 = 0.02;

pub struct Measured {
    pub work: Work,
    rounds: Vec<Value>,
    pub last: Value,
}

impl Measured {
    pub fn median(&self, name: &str) -> f64 {
        self.spread(name, 1.0).map_or(f64::NAN, |spread| spread.median)
    }

    /// Millions a second of CPU time.
    pub fn events_per_us(&self) -> f64 {
        self.work.events as f64 / self.median("cpu_s") / 1e6
    }

    fn spread(&self, name: &str, scale: f64) -> Option<Spread> {
        Spread::of(self.rounds.iter().filter_map(|round| round[name].as_f64()).map(|value| value * scale))
    }

    fn cells(&self) -> Vec<String> {
        vec![
            self.work.name.clone(),
            shown(self.spread("cpu_s", 1e9 / self.work.events as f64), 1),
            format!("{:.1}", self.events_per_us()),
            shown(self.spread("wall_s", 1.0), 2),
            shown(self.spread("peak_mib", 1.0), 0),
        ]
    }
}

/// Interleaved, so that what else the machine does hits all alike.
pub fn measure(stages: &Stages, works: Vec<Work>, rounds: u32) -> Result<Vec<Measured>> {
    let new = |work| Measured { work, rounds: vec![], last: Value::Null };
    let mut all: Vec<Measured> = works.into_iter().map(new).collect();
    for round in 1..=rounds {
        for measured in &mut all {
            eprintln!("round {round} of {rounds}: {}", measured.work.name);
            let mut taken_s = 0.0;
            while taken_s < MIN_ROUND_S {
                measured.last = stages.run(&measured.work.arguments)?;
                measured.rounds.push(measured.last.clone());
                taken_s += measured.last["wall_s"].as_f64().unwrap_or(MIN_ROUND_S).max(MIN_RUN_S);
            }
        }
    }
    Ok(all)
}

pub fn table(measured: &[Measured]) -> String {
    let rows: Vec<_> = measured.iter().map(Measured::cells).collect();
    table::aligned(&["what", "CPU ns/event", "M events/CPU s", "wall s", "peak MiB"], &rows)
}
