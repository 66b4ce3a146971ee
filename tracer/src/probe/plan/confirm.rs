//! Connections whose outcome is predicted: from ports that were answered before (controls), and from ports whose silence is expected.

use std::collections::BTreeSet;

use super::{Plan, SILENT_BEFORE};
use crate::probe::ledger::{Ask, Asked, Expected};
use crate::probe::runs::Run;
use crate::probe::strata::scattered;

/// Connections whose silence is predicted, and as many whose answer is: the evidence for the test.
const CONFIRMATIONS: u32 = 20;
/// Of those, to each target.
const MIN_CONFIRMATIONS_PER_TARGET: u32 = 5;
/// Of those, to each target in one wave.
const CONFIRMATIONS_PER_WAVE: u32 = 5;

impl Plan {
    /// How many connections to each target are missing as evidence: with silence predicted, and with an answer.
    pub(super) fn unconfirmed(&self, active: &[usize]) -> [u32; 2] {
        let each = (CONFIRMATIONS / active.len() as u32).max(MIN_CONFIRMATIONS_PER_TARGET);
        [Expected::Silence, Expected::Answer].map(|expected| {
            let made = |target: usize| {
                let of = |asked: &&Asked| asked.ask.target == target && asked.expected == expected;
                self.ledger.evidence().filter(of).count() as u32
            };
            let missing = active.iter().map(|target| each.saturating_sub(made(*target)));
            missing.max().unwrap_or_default().min(CONFIRMATIONS_PER_WAVE)
        })
    }

    /// Ports whose silence is predicted, others in each wave; so many for each target.
    pub(super) fn silent_ports(&self, each: u32) -> Vec<u16> {
        let silent = self.runs.iter().filter(|run| !run.is_open && run.silent >= SILENT_BEFORE);
        let ranges: Vec<Run> = scattered(&silent.copied().collect::<Vec<_>>());
        if ranges.is_empty() {
            return Vec::new();
        }
        let wanted = each as usize * (self.targets - self.ledger.left_out.len());
        let ports = (0..wanted).filter_map(|number| {
            let Run { first, last, .. } = ranges[(number + self.wave as usize) % ranges.len()];
            // Another place in each wave, by steps of the golden ratio.
            let step = (self.wave * 16 + number as u32) * 618 % 1000;
            let place = (u32::from(last - first) * step / 999) as u16;
            self.usable(first + place, first.saturating_sub(1), last.saturating_add(1))
        });
        let ports: BTreeSet<u16> = ports.collect();
        ports.into_iter().collect()
    }

    /// Connections from ports that were answered before, so many to each target.
    pub(super) fn controls(&self, each: usize, active: &[usize]) -> Vec<Ask> {
        let open = scattered(&self.open.iter().copied().collect::<Vec<_>>());
        let count = if open.is_empty() { 0 } else { each * active.len() };
        // Some of them ask edges again that were found long ago.
        let edges = if self.strata.is_empty() { self.unchecked() } else { Vec::new() };
        let others = open.iter().copied().cycle().skip(self.wave as usize * 7 % open.len().max(1));
        let ports = edges.into_iter().take(count.div_ceil(2)).chain(others).take(count);
        let target = |number: usize| active[(self.wave as usize + number) % active.len()];
        ports.enumerate().map(|(number, port)| Ask { port, target: target(number) }).collect()
    }

    /// The target that was asked least often from this port, each in its turn.
    pub(super) fn least_asked(&self, port: u16, active: &[usize], turn: usize) -> usize {
        let count = |target: usize| self.ledger.asked.iter().filter(|asked| asked.ask == Ask { port, target }).count();
        let in_turn = (0..active.len()).map(|step| active[(turn + self.wave as usize + step) % active.len()]);
        in_turn.min_by_key(|target| count(*target)).unwrap_or_default()
    }
}
