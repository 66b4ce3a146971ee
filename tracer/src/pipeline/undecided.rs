//! Ended attempts whose cause rests on evidence: counted by where they belong until the end, so that the whole evidence counts.

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::causes;
use crate::evidence::{Place, PortEvidence};
use crate::summary::Summary;
use crate::tally::Counts;

/// By destination and side of the policy, and by the cause that they have if it is not the filter: bounded, as destinations are.
#[derive(Debug, Default)]
pub(super) struct Undecided(HashMap<(Place, &'static str), Counts, FixedState>);

impl Undecided {
    pub(super) fn add(&mut self, place: Place, otherwise: &'static str, counts: Counts) {
        *self.0.entry((place, otherwise)).or_default() += counts;
    }

    /// Counts them with the cause that they have by all evidence.
    pub(super) fn decide(&mut self, evidence: &mut PortEvidence, summary: &mut Summary) {
        for ((place, otherwise), counts) in std::mem::take(&mut self.0) {
            let strength = evidence.assess_place(place).strength();
            let cause = if strength.holds() { causes::RESTS_ON_EVIDENCE } else { otherwise };
            summary.caused(cause, Some(strength), counts);
        }
    }
}
