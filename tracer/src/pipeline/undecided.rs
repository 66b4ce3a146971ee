//! Ended attempts whose cause rests on evidence: counted by where they belong until the end, so that the whole evidence counts.

use std::collections::VecDeque;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::causes;
use crate::evidence::{Place, PortEvidence};
use crate::model::Strength;
use crate::summary::Summary;
use crate::tally::Counts;

/// Attempts that wait until it is known to which period they belong.
const MAX_NEW: usize = 4096;
/// Rows by exact port; beyond that 256 neighbouring ports share one.
const MAX_EXACT: usize = 65_536;
const PORTS_OF_ROW: u16 = 256;

/// What attempts have in common that are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct UndecidedGroup {
    place: Place,
    port: u16,
    /// The cause that they have if it is not the filter.
    otherwise: &'static str,
    is_retransmitted: bool,
}

/// By destination, period, port and other cause: bounded, as destinations and periods are.
#[derive(Debug, Default)]
pub(super) struct Undecided {
    new: VecDeque<(UndecidedGroup, u64, Counts)>,
    rows: HashMap<UndecidedGroup, Counts, FixedState>,
}

impl Undecided {
    pub(super) fn add(
        &mut self,
        evidence: &PortEvidence,
        (place, port): (Place, u16),
        first_ns: u64,
        otherwise: &'static str,
        counts: Counts,
    ) {
        let is_retransmitted = counts.retransmits > 0;
        self.new.push_back((UndecidedGroup { place, port, otherwise, is_retransmitted }, first_ns, counts));
        if self.new.len() > MAX_NEW {
            self.count_oldest(evidence);
        }
    }

    fn count_oldest(&mut self, evidence: &PortEvidence) {
        let Some((row, first_ns, counts)) = self.new.pop_front() else { return };
        let mut row = UndecidedGroup { place: evidence.place_at(row.place, first_ns), ..row };
        if self.rows.len() >= MAX_EXACT && !self.rows.contains_key(&row) {
            row.port -= row.port % PORTS_OF_ROW;
        }
        *self.rows.entry(row).or_default() += counts;
    }

    /// Counts them with the cause that they have by all evidence.
    pub(super) fn decide(&mut self, evidence: &mut PortEvidence, summary: &mut Summary) {
        while !self.new.is_empty() {
            self.count_oldest(evidence);
        }
        for (UndecidedGroup { place, port, otherwise, .. }, counts) in std::mem::take(&mut self.rows) {
            let strength = evidence.assess_port(place, port).assessment.map(|assessment| assessment.strength());
            let holds = strength.is_some_and(Strength::holds);
            summary.caused(if holds { causes::RESTS_ON_EVIDENCE } else { otherwise }, strength, counts);
        }
    }
}
