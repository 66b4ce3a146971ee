//! Which ports are asked next: those of the first round, then between ports that differ, then the edges again.

use std::collections::{BTreeMap, BTreeSet};

use super::Plan;
use crate::probe::doubt::{MAX_NARROW_DOUBT, MAX_WIDE_DOUBT, enough, is_sure};
use crate::probe::ledger::Port;

/// Ports of the first round that are asked in one wave.
const STRATA_PER_WAVE: usize = 32;
/// Ports of a wide gap: at round numbers they are tried first.
const WIDE_GAP: u16 = 512;
/// People begin and end ranges at multiples of this.
const ROUND_STEP: u16 = 1000;

/// Why a port is asked; what comes first is more urgent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum AskReason {
    Again,
    Between,
    Edge,
    Twice,
}

impl Plan {
    /// Ports that are not clear yet, the most urgent first.
    pub(super) fn wanted(&mut self, ports: &BTreeMap<u16, Port>) -> Vec<u16> {
        let next = self.strata.split_off(self.strata.len().saturating_sub(STRATA_PER_WAVE));
        let strata: Vec<u16> = next.iter().rev().filter_map(|port| self.usable(*port, 0, u16::MAX)).collect();
        let loss = self.ledger.loss();
        let mut wanted: BTreeSet<(AskReason, u32, u16)> = BTreeSet::new();
        for ((low, left), (high, right)) in ports.iter().zip(ports.iter().skip(1)) {
            if left.is_open() == right.is_open() {
                continue;
            }
            let (closed, silent) = if left.is_open() { (*high, right.silent) } else { (*low, left.silent) };
            let doubt = if high - low > WIDE_GAP { MAX_WIDE_DOUBT } else { MAX_NARROW_DOUBT };
            if silent < loss.silences(doubt).max(1) {
                wanted.insert((AskReason::Again, silent, closed));
            } else if strata.is_empty() {
                let between = self.between(*low, *high);
                let run = self.runs.iter().find(|run| (run.first..=run.last).contains(&closed));
                if between.is_empty() && (silent < enough(loss) || run.is_some_and(|run| !is_sure(run, loss))) {
                    // Those first that belong to few.
                    wanted.insert((AskReason::Edge, run.map_or(0, |run| run.silent), closed));
                }
                wanted.extend(between.into_iter().map(|port| (AskReason::Between, 0, port)));
            }
        }
        if strata.is_empty() && wanted.is_empty() && !self.open.is_empty() {
            // A range of few blocks may have been lost as a whole.
            let once = ports.iter().filter(|(_, port)| !port.is_open() && port.silent < 2);
            wanted.extend(once.map(|(port, of)| (AskReason::Twice, of.silent, *port)));
        }
        let mut known = BTreeSet::new();
        let wanted = strata.into_iter().chain(wanted.into_iter().map(|(.., port)| port));
        wanted.filter(|port| known.insert(*port)).collect()
    }

    /// Ports that divide what is between two others.
    pub(super) fn between(&self, low: u16, high: u16) -> BTreeSet<u16> {
        let gap = high - low;
        let round = (low / ROUND_STEP + 1..=high / ROUND_STEP)
            .flat_map(|number| [number * ROUND_STEP - 1, number * ROUND_STEP]);
        let mut at: Vec<u16> = round.filter(|port| gap > WIDE_GAP && (low + 1..high).contains(port)).collect();
        if at.is_empty() {
            at = (1..4).map(|quarter| low + (u32::from(gap) * quarter / 4) as u16).collect();
        }
        at.into_iter().filter_map(|port| self.usable(port, low, high)).collect()
    }

    /// The nearest port that can be asked, above `low` and, unless that is the highest port, below `high`.
    pub(super) fn usable(&self, port: u16, low: u16, high: u16) -> Option<u16> {
        let can = |port: &u16| {
            let is_between = *port > low && (*port < high || high == u16::MAX);
            is_between && self.from.contains(*port) && !self.ledger.in_use.contains(port)
        };
        let found = [(low..=port).rev().find(can), (port..=high).find(can)];
        found.into_iter().flatten().min_by_key(|found| found.abs_diff(port))
    }
}
