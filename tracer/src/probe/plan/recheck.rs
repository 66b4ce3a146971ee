//! Whether all edges were there at one time: a filter that changes during the probe has edges that never were in force together.

use super::Plan;
use crate::probe::doubt::enough;
use crate::probe::runs::{Run, runs};

/// Of so many edges each is asked again; filters with more are hardly there.
const MAX_EDGES: usize = 10;

/// The open port at an edge.
#[derive(Clone, Copy)]
struct EdgePort {
    port: u16,
    /// The waves of its first and its last answer.
    answered: (u32, u32),
    /// Connections without an answer since.
    silent: u32,
    /// The wave in which the closed port next to it was asked first.
    closed: u32,
}

impl Plan {
    /// Open ports at edges that have not been answered since the last edge was found.
    pub(super) fn unchecked(&self) -> Vec<u16> {
        let edges = self.edges();
        let newest = edges.iter().map(|edge| edge.answered.0.max(edge.closed)).max();
        let is_old = |edge: &&EdgePort| edges.len() <= MAX_EDGES && Some(edge.answered.1) < newest;
        edges.iter().filter(is_old).map(|edge| edge.port).collect()
    }

    /// Whether an edge that was found is not there any more.
    pub(in crate::probe) fn has_changed(&self) -> bool {
        let needed = enough(self.ledger.loss());
        self.edges().iter().any(|edge| edge.silent >= needed)
    }

    fn edges(&self) -> Vec<EdgePort> {
        let sides = |pair: &[Run]| match pair[0].is_open {
            true => (pair[0].last, pair[1].first),
            false => (pair[1].first, pair[0].last),
        };
        runs(&self.ledger.ports()).windows(2).map(|pair| self.edge(sides(pair))).collect()
    }

    fn edge(&self, (port, closed): (u16, u16)) -> EdgePort {
        let closed = self.ledger.asked.iter().find(|asked| asked.ask.port == closed).map_or(0, |asked| asked.wave);
        let mut edge = EdgePort { port, answered: (0, 0), silent: 0, closed };
        for asked in self.ledger.evidence().filter(|asked| asked.ask.port == port) {
            if asked.answer.is_answer() {
                let first = if edge.answered.0 == 0 { asked.wave } else { edge.answered.0 };
                edge = EdgePort { answered: (first, asked.wave), silent: 0, ..edge };
            } else {
                edge.silent += 1;
            }
        }
        edge
    }
}
