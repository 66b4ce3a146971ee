//! What the evidence of a path says, period by period.

use super::super::doubts::Doubts;
use super::super::outage::{of_kind, of_policy, sorted};
use super::super::range::InferredRange;
use super::super::recent::{RecentAttempt, infer};
use super::{InPeriod, PathEvidence, PeriodEvidence};
use crate::infer::{Class, Conclusion, Destination};
use crate::model::{Assessment, Doubt, Reason, Scope, SideEvidence};

impl PathEvidence {
    /// What is said of each period, in the order of their time.
    fn in_periods<T>(&self, of: impl Fn(u8, &PeriodEvidence) -> T) -> Vec<InPeriod<T>> {
        let mut periods: Vec<_> = (0u8..).zip(&self.periods).collect();
        periods.sort_by_key(|(_, period)| period.since_ns);
        let said = |&(number, period): &(u8, &PeriodEvidence)| {
            let since_ns = period.since_ns;
            let later = self.periods.iter().map(|period| period.since_ns).filter(|of| *of > since_ns);
            InPeriod { since_ns: Some(since_ns).filter(|of| *of > 0), until_ns: later.min(), value: of(number, period) }
        };
        periods.iter().map(said).collect()
    }

    /// What the evidence says about each side of the policy that attempts left from, period by period.
    pub(in crate::evidence) fn policies(&self) -> Vec<InPeriod<Vec<SideEvidence>>> {
        self.in_periods(|number, period| {
            let mut sides = period.family.policies();
            for side in sides.iter_mut().filter(|side| side.assessment.strength().holds()) {
                let Assessment { side, reason, scope, .. } = &mut side.assessment;
                let attempts = || match *scope {
                    Scope::Destination | Scope::Capture => sorted(&self.recent, number),
                    Scope::Public => of_kind(&self.recent, number, false),
                    Scope::Private => of_kind(&self.recent, number, true),
                };
                *reason = match period.has_waited(*side) {
                    true => Doubts::of(&attempts(), of_policy(*side)).applied_to(*reason, *scope),
                    false => Reason::ShortWait,
                };
            }
            sides
        })
    }

    /// Which ports the path accepts, period by period.
    pub(in crate::evidence) fn conclusions(&self) -> Vec<InPeriod<Conclusion>> {
        self.in_periods(|number, _| {
            let attempts = sorted(&self.recent, number);
            let of = attempts.iter().map(|attempt| (self.index.destination(attempt.place.entry), attempt));
            let conclusion = infer(self.path.is_ipv4, of);
            let range = conclusion.class().map(|class| InferredRange::known(class, &attempts));
            let doubt = range.and_then(|range| range.doubt(&attempts));
            Conclusion { doubt, ..conclusion }
        })
    }

    /// For each period with failures outside of a class that more attempts than these show: what else explains it, if anything does.
    pub(in crate::evidence) fn doubts_about(&self, class: &Class) -> impl Iterator<Item = Option<Doubt>> {
        (0u8..).take(self.periods.len()).filter_map(|number| {
            let attempts = sorted(&self.recent, number);
            let range = InferredRange::known(class, &attempts);
            range.has_failures(&attempts).then(|| range.doubt(&attempts))
        })
    }

    /// All attempts of the path, with their destinations; `None` where they are not all kept.
    pub(in crate::evidence) fn attempts(&self) -> Option<impl Iterator<Item = (Destination, &RecentAttempt)>> {
        let attempts = || self.recent.iter().map(|attempt| (self.index.destination(attempt.place.entry), attempt));
        self.recent.are_all().then(attempts)
    }
}
