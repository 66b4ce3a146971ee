//! What to ask next: spread over the range first, then between ports that differ, then the edges again. Pure.
//!
//! An answer proves a port open, silence proves little: loss, a rate limit, a target that is down, or a filter. So a silent port next to
//! an open one is asked until loss does not explain it, an answer at any time overturns what silence said, and each wave also asks ports that
//! were answered before (controls), which measures whatever else makes connections fail.

use std::collections::BTreeSet;

use super::ledger::{Ask, Asked, Expected, Ledger, ProbeAnswer};
use super::runs::{Run, runs};
use super::strata::{scattered, strata};
use super::targets::{Pace, failing, pace};
use crate::model::PortSet;

mod certainty;
mod confirm;
mod next;
mod recheck;

/// Connections that are kept for edges to be asked again.
const RESERVED_CONNECTIONS: usize = 8;
/// Of so many connections one is a control.
const ASKS_PER_CONTROL: usize = 8;
/// So many unanswered connections predict silence.
const SILENT_BEFORE: u32 = 3;

/// Asks in waves until the edges are known or the connections are used up.
#[derive(Clone, Debug)]
pub struct Plan {
    from: PortSet,
    /// Connections that may still be made.
    left: usize,
    targets: usize,
    /// Those of the first round that are left, the next one last.
    strata: Vec<u16>,
    /// Connections a second; each half of the one before.
    pub(super) rates: Vec<f64>,
    wave: u32,
    /// What was known before this wave.
    runs: Vec<Run>,
    open: BTreeSet<u16>,
    pub(super) ledger: Ledger,
}

impl Plan {
    /// Of so many targets, from these ports, with at most so many connections at this rate.
    pub fn new(targets: usize, from: &PortSet, connections: usize, rate: f64) -> Self {
        let mut strata = strata(from, connections);
        strata.reverse();
        Self {
            from: from.clone(),
            left: connections,
            targets,
            strata,
            rates: vec![rate],
            wave: 0,
            runs: Vec::new(),
            open: BTreeSet::new(),
            ledger: Ledger::default(),
        }
    }

    /// Connections a second.
    pub fn rate(&self) -> f64 {
        self.rates.last().copied().unwrap_or(1.0)
    }

    /// Connections that were made.
    pub fn made(&self) -> usize {
        self.ledger.asked.len()
    }

    /// Takes what became of a connection of the last wave.
    pub fn take(&mut self, ask: Ask, answer: ProbeAnswer, second: u64) {
        match answer {
            ProbeAnswer::InUse => {
                self.left += 1;
                self.ledger.in_use.insert(ask.port);
                // A neighbour instead.
                return self.strata.push(ask.port);
            }
            ProbeAnswer::Denied(_) => drop(self.ledger.in_use.insert(ask.port)),
            ProbeAnswer::Accepted | ProbeAnswer::Refused | ProbeAnswer::Silent | ProbeAnswer::Unreachable(_) => {}
        }
        let (expected, wave, pace) = (self.expected(ask.port), self.wave, self.rates.len() - 1);
        self.ledger.asked.push(Asked { ask, answer, second, wave, pace, expected });
    }

    fn expected(&self, port: u16) -> Expected {
        let is_silent =
            |run: &Run| !run.is_open && run.silent >= SILENT_BEFORE && (run.first..=run.last).contains(&port);
        match self.open.contains(&port) {
            true => Expected::Answer,
            false if self.runs.iter().any(is_silent) => Expected::Silence,
            false => Expected::Unknown,
        }
    }

    /// The connections to make next; none where nothing is left to ask.
    pub fn wave(&mut self) -> Vec<Ask> {
        self.leave_out_targets();
        let active: Vec<usize> = (0..self.targets).filter(|target| !self.ledger.left_out.contains(target)).collect();
        if active.is_empty() || self.has_changed() || self.gives_up() {
            return Vec::new();
        }
        self.wave += 1;
        let ports = self.ledger.ports();
        self.runs = runs(&ports);
        self.open = ports.iter().filter(|(_, port)| port.is_open()).map(|(port, _)| *port).collect();
        let mut wanted = self.wanted(&ports);
        let unchecked = self.unchecked();
        let is_short = self.left <= RESERVED_CONNECTIONS + active.len() + wanted.len() / ASKS_PER_CONTROL;
        if !unchecked.is_empty() && (wanted.is_empty() || is_short) {
            wanted = unchecked;
        }
        let mut each = wanted.len() / ASKS_PER_CONTROL / active.len();
        if wanted.is_empty() && self.runs.len() > 1 {
            let [silent, answered] = self.unconfirmed(&active);
            wanted = self.silent_ports(silent);
            each = each.max(answered as usize);
        }
        let controls = self.controls(each.max(1), &active);
        wanted.truncate(self.left.saturating_sub(controls.len()));
        let targets = wanted.iter().enumerate().map(|(turn, port)| self.least_asked(*port, &active, turn));
        let asks = wanted.iter().zip(targets).map(|(&port, target)| Ask { port, target });
        if wanted.is_empty() && each == 0 || self.left < controls.len() {
            return Vec::new();
        }
        let asks: BTreeSet<Ask> = asks.chain(controls).collect();
        self.left -= asks.len().min(self.left);
        scattered(&asks.into_iter().collect::<Vec<_>>())
    }

    /// Targets that say nothing about ports are asked no more, and others are asked in their place.
    fn leave_out_targets(&mut self) {
        let before = self.ledger.ports();
        let failing = failing(&self.ledger, self.targets, self.rates.len() - 1);
        self.ledger.left_out.extend(failing);
        let after = self.ledger.ports();
        self.strata.extend(before.into_keys().filter(|port| !after.contains_key(port)));
    }

    /// Whether ports that had been answered go unanswered at any rate; slows down where they do at this one.
    fn gives_up(&mut self) -> bool {
        let now = self.rates.len() - 1;
        match pace(&self.ledger, now) {
            Pace::Keep => return false,
            Pace::Halve => self.rates.push(self.rate() / 2.0),
            Pace::GiveUp => {}
        }
        self.ledger.too_fast.insert(now);
        self.rates.len() - 1 == now
    }
}
