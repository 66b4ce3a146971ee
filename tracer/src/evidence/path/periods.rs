//! What the evidence of a path says, period by period.

use super::super::doubts::Doubts;
use super::super::outage::{of_policy, sorted};
use super::super::recent::{RecentAttempt, infer};
use super::{InPeriod, PathEvidence, PeriodEvidence};
use crate::infer::{Conclusion, Destination};
use crate::model::{Assessment, Reason, SideEvidence};

impl PathEvidence {
    fn bounds<T>(&self, period: &PeriodEvidence, value: T) -> InPeriod<T> {
        let later = self.periods.iter().map(|period| period.since_ns).filter(|since_ns| *since_ns > period.since_ns);
        InPeriod { since_ns: (period.since_ns > 0).then_some(period.since_ns), until_ns: later.min(), value }
    }

    fn in_order(&self) -> Vec<(u8, &PeriodEvidence)> {
        let mut periods: Vec<_> = (0u8..).zip(&self.periods).collect();
        periods.sort_by_key(|(_, period)| period.since_ns);
        periods
    }

    /// What the evidence says about each side of the policy that attempts left from, period by period.
    pub(in crate::evidence) fn policies(&self) -> Vec<InPeriod<Vec<SideEvidence>>> {
        let periods = self.in_order().into_iter();
        let sides = |number: u8, period: &PeriodEvidence| {
            let mut sides = period.family.policies();
            for side in sides.iter_mut().filter(|side| side.assessment.strength().holds()) {
                let Assessment { side, reason, scope, .. } = &mut side.assessment;
                *reason = match period.has_waited(*side) {
                    true => Doubts::of(&sorted(&self.recent, number), of_policy(*side)).applied_to(*reason, *scope),
                    false => Reason::ShortWait,
                };
            }
            sides
        };
        periods.map(|(number, period)| self.bounds(period, sides(number, period))).collect()
    }

    /// Which ports the path accepts, period by period.
    pub(in crate::evidence) fn conclusions(&self) -> Vec<InPeriod<Conclusion>> {
        let periods = self.in_order().into_iter();
        let conclude = |number| {
            let attempts = sorted(&self.recent, number);
            infer(
                self.path.is_ipv4,
                attempts.iter().map(|attempt| (self.index.destination(attempt.place.entry), attempt)),
            )
        };
        periods.map(|(number, period)| self.bounds(period, conclude(number))).collect()
    }

    /// All attempts of the path, with their destinations; `None` where they are not all kept.
    pub(in crate::evidence) fn attempts(&self) -> Option<impl Iterator<Item = (Destination, &RecentAttempt)>> {
        let attempts = || self.recent.iter().map(|attempt| (self.index.destination(attempt.place.entry), attempt));
        self.recent.are_all().then(attempts)
    }
}
