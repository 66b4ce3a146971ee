//! Ports next to each other that fare alike.

use std::collections::BTreeMap;

use super::ledger::Port;
use crate::model::PortSet;

/// Ports next to each other that fare alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) first: u16,
    pub(super) last: u16,
    pub(super) is_open: bool,
    /// Connections without an answer, where none was answered.
    pub(super) silent: u32,
}

/// In ascending order.
pub(super) fn runs(ports: &BTreeMap<u16, Port>) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (&port, of) in ports {
        match runs.last_mut() {
            Some(run) if run.is_open == of.is_open() => {
                run.last = port;
                run.silent += of.silent;
            }
            Some(_) | None => runs.push(Run { first: port, last: port, is_open: of.is_open(), silent: of.silent }),
        }
    }
    runs
}

/// The ports that pass.
pub(super) fn passing(ports: &BTreeMap<u16, Port>) -> PortSet {
    PortSet::of(runs(ports).iter().filter(|run| run.is_open).map(|run| (run.first, run.last)))
}
