//! The claim that a filter accepts another range of ports than the policy: the range that is inferred from the newest attempts.

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::doubts::Doubts;
use super::place::Place;
use super::recent::{RecentAttempt, infer};
use crate::infer::{Class, Conclusion, DestinationIndex, RARE_PASS_DIVISOR, Verdict, can_conclude};
use crate::model::{Answers, Assessment, Claim, Doubt, Reason, Scope, Side};

/// Of a destination whose ports outside all fail, while those of others are answered: chance must explain that less often.
const MIXED_CHANCE: f64 = 0.01;

/// A range that the path accepts, beyond doubt.
#[derive(Clone, Debug)]
pub(super) struct InferredRange {
    pub(super) class: Class,
    /// Answers inside and outside of the range, by destination.
    destinations: HashMap<u16, [Answers; 2], FixedState>,
    /// The destination that alone says so, by its numbers.
    pub(super) only: Option<Vec<u16>>,
}

impl InferredRange {
    /// What these attempts say, which are in the order of their time; `None` where chance explains it.
    pub(super) fn of(is_ipv4: bool, index: &DestinationIndex, attempts: &[RecentAttempt]) -> Option<Self> {
        let of = attempts.iter().map(|attempt| (index.destination(attempt.place.entry), attempt));
        if !can_conclude(of.clone().map(|(destination, attempt)| (destination, attempt.answered))) {
            return None;
        }
        let Conclusion { verdict, .. } = infer(is_ipv4, of);
        let (class, is_shared) = match verdict {
            Verdict::Class(class) => (class, true),
            Verdict::OneDestination(class) => (class, false),
            Verdict::NoClass { .. } | Verdict::TooFew { .. } => return None,
        };
        if !attempts.iter().any(|attempt| attempt.has_waited && !class.split.contains(attempt.port)) {
            return None;
        }
        let is_only =
            |entry: &u16| class.supporting.first().is_some_and(|only| only.destination == index.destination(*entry));
        let range = Self::known(&class, attempts);
        let only = (!is_shared).then(|| range.destinations.keys().copied().filter(is_only).collect());
        Some(Self { only, ..range })
    }

    /// The range that more attempts than these prove.
    pub(super) fn known(class: &Class, attempts: &[RecentAttempt]) -> Self {
        let mut destinations: HashMap<u16, [Answers; 2], FixedState> = HashMap::default();
        for (attempt, is_inside) in attempts.iter().filter_map(|it| Some((it, class.is_inside(it.port)?))) {
            let of_entry = destinations.entry(attempt.place.entry).or_default();
            of_entry[usize::from(!is_inside)].add(attempt.answered);
        }
        Self { class: class.clone(), destinations, only: None }
    }

    const fn reason(&self) -> Reason {
        Reason::SidesDiffer { p_below: self.class.p_below }
    }

    /// The range, unless something else explains the attempts outside as well: those to the destination that alone says so, or all.
    pub(super) fn doubted(self, attempts: &[RecentAttempt]) -> Option<Self> {
        self.doubt(attempts).is_none().then_some(self)
    }

    /// What explains these attempts as well, if anything does.
    pub(super) fn doubt(&self, attempts: &[RecentAttempt]) -> Option<Doubt> {
        let is_of = |attempt: &&RecentAttempt| self.only.as_ref().is_none_or(|of| of.contains(&attempt.place.entry));
        let doubts = Doubts::of(&attempts.iter().filter(is_of).copied().collect::<Vec<_>>(), of_range(self));
        if let Reason::Doubted(doubt) = doubts.applied_to_distinct(self.reason()) { Some(doubt) } else { None }
    }

    /// Whether one of these attempts failed from a port outside.
    pub(super) fn has_failures(&self, attempts: &[RecentAttempt]) -> bool {
        attempts.iter().any(|attempt| !attempt.answered && self.class.is_inside(attempt.port) == Some(false))
    }

    /// How strong the claim is about that port, for attempts to that destination; `None` where the range says nothing against it.
    /// A destination that does not answer in the range says nothing, and one that answers outside of it bypasses the filter.
    pub(super) fn assess(&self, Place { entry, is_shared, .. }: Place, port: u16) -> Option<Assessment> {
        let [inside, outside] = *self.destinations.get(&entry).filter(|_| !is_shared)?;
        // Where others are answered from outside too, one of several paths may drop them: a few failures of this one are chance.
        let Answers { answered, .. } = self.class.outside;
        let share = answered as f64 / self.class.outside.total().max(1) as f64;
        let of_chance = (1.0 - share).powf(outside.unanswered as f64);
        let is_filtered = (share * f64::from(RARE_PASS_DIVISOR) <= 1.0 || of_chance < MIXED_CHANCE)
            && inside.answered > 0
            && inside.answered >= inside.unanswered
            && outside.answered * u64::from(RARE_PASS_DIVISOR) <= outside.total();
        if self.class.is_inside(port) != Some(false)
            || !is_filtered
            || self.only.as_ref().is_some_and(|only| !only.contains(&entry))
        {
            return None;
        }
        let (scope, inside, outside) = match &self.only {
            Some(_) => (Scope::Destination, inside, outside),
            None => (Scope::Capture, self.class.counted().inside, self.class.counted().outside),
        };
        let (claim, reason, side) = (Claim::Inferred, self.reason(), Side::Inside);
        Some(Assessment { claim, reason, scope, side, inside, outside })
    }
}

/// Whether a port is in a range, where that is known.
pub(super) fn of_range(range: &InferredRange) -> impl Fn(&RecentAttempt) -> Option<bool> {
    move |attempt| range.class.is_inside(attempt.port)
}
