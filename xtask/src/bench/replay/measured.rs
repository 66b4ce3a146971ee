//! Runs each measurement in a process of its own, all of them in turn, round by round.

use std::ffi::OsString;

use anyhow::Result;
use serde_json::Value;

use super::stages::Stages;
use crate::bench::spread::{Spread, shown};
use crate::bench::table;

/// A shorter measurement is repeated in the same round: a moment says little of a shared machine.
const MIN_ROUND_S: f64 = 1.0;
const MAX_REPEATS: u32 = 50;

pub struct Work {
    pub name: String,
    pub events: u64,
    /// Of `replay_stages`.
    pub arguments: Vec<OsString>,
}

impl Work {
    pub fn stage(name: &str, events: u64, arguments: &[&str]) -> Self {
        Self { name: name.to_owned(), events, arguments: arguments.iter().map(OsString::from).collect() }
    }
}

pub struct Measured {
    pub name: String,
    events: u64,
    rounds: Vec<Value>,
    pub last: Value,
}

impl Measured {
    pub fn median(&self, name: &str) -> f64 {
        self.spread(name, 1.0).map_or(f64::NAN, |spread| spread.median)
    }

    /// Millions a second of CPU time.
    pub fn events_per_us(&self) -> f64 {
        self.events as f64 / self.median("cpu_s") / 1e6
    }

    fn spread(&self, name: &str, scale: f64) -> Option<Spread> {
        Spread::of(self.rounds.iter().filter_map(|round| round[name].as_f64()).map(|value| value * scale))
    }

    fn cells(&self) -> Vec<String> {
        vec![
            self.name.clone(),
            shown(self.spread("cpu_s", 1e9 / self.events as f64), 1),
            format!("{:.1}", self.events_per_us()),
            shown(self.spread("wall_s", 1.0), 2),
            shown(self.spread("peak_mib", 1.0), 0),
        ]
    }
}

/// Interleaved, so that what else the machine does hits all alike. Work of the same name is measured as one.
pub fn measure(stages: &Stages, works: &[Work], rounds: u32) -> Result<Vec<Measured>> {
    let mut all: Vec<Measured> = Vec::new();
    for round in 1..=rounds {
        for work in works {
            eprintln!("round {round} of {rounds}: {}", work.name);
            let known = all.iter().position(|measured| measured.name == work.name);
            let index = known.unwrap_or_else(|| {
                all.push(Measured { name: work.name.clone(), events: work.events, rounds: vec![], last: Value::Null });
                all.len() - 1
            });
            let (measured, mut taken_s) = (&mut all[index], 0.0);
            for _ in 0..MAX_REPEATS {
                measured.last = stages.run(&work.arguments)?;
                measured.rounds.push(measured.last.clone());
                taken_s += measured.last["wall_s"].as_f64().unwrap_or(MIN_ROUND_S);
                if taken_s >= MIN_ROUND_S {
                    break;
                }
            }
        }
    }
    Ok(all)
}

pub fn table(measured: &[Measured]) -> String {
    let rows: Vec<_> = measured.iter().map(Measured::cells).collect();
    table::aligned(&["what", "CPU ns/event", "M events/CPU s", "wall s", "peak MiB"], &rows)
}
