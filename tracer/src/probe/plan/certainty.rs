//! What is known for sure at the end, and what loss may explain.

use std::collections::BTreeSet;

use super::Plan;
use crate::probe::doubt::{MAX_CLAIM_DOUBT, is_sure};
use crate::probe::ledger::Port;
use crate::probe::runs::{passing, runs};

/// Of more ranges than this each edge has to be known: one bracket in a hundred misses its edge.
const MAX_RUNS_UNFOLLOWED: usize = 9;

impl Plan {
    /// Whether loss does not explain the silence of any port, and the edges are known as well as the inference takes for granted.
    pub(in crate::probe) fn is_sure(&self) -> bool {
        let runs = runs(&self.ledger.ports());
        let loss = self.ledger.loss();
        let is_sure = runs.iter().all(|run| run.is_open || is_sure(run, loss));
        is_sure && self.unchecked().is_empty() && (runs.len() <= MAX_RUNS_UNFOLLOWED || self.is_complete())
    }

    /// Ports next to open ones whose silence loss may explain, so that the edge may be beyond them.
    pub(in crate::probe) fn doubtful(&self) -> BTreeSet<u16> {
        let (ports, needed) = (self.ledger.ports(), self.ledger.loss().silences(MAX_CLAIM_DOUBT));
        let mut doubtful = BTreeSet::new();
        let mut walk = |ports: &mut dyn Iterator<Item = (&u16, &Port)>| {
            // Since the last open port.
            let mut silent = needed;
            for (port, of) in ports {
                silent = if of.is_open() { 0 } else { silent.saturating_add(of.silent) };
                if !of.is_open() && silent < needed {
                    doubtful.insert(*port);
                }
            }
        };
        walk(&mut ports.iter());
        walk(&mut ports.iter().rev());
        doubtful
    }

    /// Whether each edge was followed as far as ports can be asked.
    pub(in crate::probe) fn is_complete(&self) -> bool {
        let ports = self.ledger.ports();
        let mut pairs = ports.iter().zip(ports.iter().skip(1));
        let is_followed = pairs.all(|((low, left), (high, right))| {
            left.is_open() == right.is_open() || self.between(*low, *high).is_empty()
        });
        let is_few = runs(&ports).len() <= MAX_RUNS_UNFOLLOWED;
        let is_twice = is_few || ports.values().all(|port| port.is_open() || port.silent > 1);
        self.strata.is_empty() && is_followed && is_twice && !passing(&ports).is_empty()
    }
}
