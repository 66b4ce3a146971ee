//! Private destinations and public ones apart: a provider filters what comes from the outside, and seldom what comes from its own networks.

use super::family::FamilyEvidence;
use super::place::Place;
use crate::infer::Probe;
use crate::model::{Answers, Assessment, Scope, Side, SideEvidence};

/// The evidence of public destinations, and that of private ones.
#[derive(Clone, Debug, Default)]
pub(super) struct Kinds([FamilyEvidence; 2]);

impl Kinds {
    /// Counts an attempt; whether it is weighed.
    pub(super) fn count(&mut self, place: Place, first_ns: u64, probe: Probe) -> bool {
        self.of(place).count(place, first_ns, probe)
    }

    /// Takes back an attempt.
    pub(super) fn uncount(&mut self, place: Place, answered: bool, is_weighed: bool) {
        self.of(place).uncount(place, answered, is_weighed);
    }

    fn of(&mut self, place: Place) -> &mut FamilyEvidence {
        &mut self.0[usize::from(place.is_private)]
    }

    /// Attempts to destinations of one kind from ports on that side.
    pub(super) const fn all_to(&self, is_private: bool, side: Side) -> Answers {
        self.0[is_private as usize].all(side)
    }

    /// Attempts to a destination from ports on that side.
    pub(super) fn to(&self, entry: u16, side: Side) -> Answers {
        self.0.iter().map(|kind| kind.to(entry, side)).sum()
    }

    /// How strong the claim is about the side of that place, for attempts to its destination: see `FamilyEvidence::assess()`.
    pub(super) fn assess(&mut self, place: Place, is_own_enough: bool) -> Assessment {
        let assessment = self.of(place).assess(place, is_own_enough);
        self.named(place.is_private, assessment)
    }

    /// Names the kind of destinations where there are both.
    fn named(&self, is_private: bool, assessment: Assessment) -> Assessment {
        let is_of_all = assessment.scope != Scope::Capture || !self.0[usize::from(!is_private)].has_any();
        let kind = if is_private { Scope::Private } else { Scope::Public };
        Assessment { scope: if is_of_all { assessment.scope } else { kind }, ..assessment }
    }

    /// Tests everything again.
    pub(super) fn settle(&mut self) {
        self.0.iter_mut().for_each(FamilyEvidence::settle);
    }

    /// What the evidence says about each side that attempts left from.
    pub(super) fn policies(&self) -> Vec<SideEvidence> {
        let named = |is_private| {
            let sides = self.0[usize::from(is_private)].policies().into_iter();
            sides.map(move |side| SideEvidence { assessment: self.named(is_private, side.assessment), ..side })
        };
        named(false).chain(named(true)).collect()
    }

    /// Bytes allocated.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.0.iter().map(FamilyEvidence::bytes).sum()
    }
}
