//! The evidence of one way out of the node, for one address family. Its filter may appear, disappear or change: each period in which it
//! stays the same is judged by itself.

use super::change::{self, Passing};
use super::family::FamilyEvidence;
use super::index::DestinationIndex;
use super::place::{Path, Place};
use super::range::InferredRange;
use super::recent::{Order, RecentAttempt, RecentAttempts, infer, weigh};
use crate::infer::{Conclusion, Destination, Probe};
use crate::model::{Assessment, PortSet, Reason, Side, SideEvidence};

/// Periods that are told apart; a filter that changes more often is judged by several at once.
const MAX_PERIODS: usize = 8;
/// Attempts after which a change is looked for.
const LOOK_EVERY: u64 = 16;
/// The newest attempts that must fare otherwise than those before.
const NEWEST: usize = 24;
/// Attempts after which a change to a range that nobody named is looked for, and from how many that range is inferred.
const INFER_EVERY: u64 = 1024;
const INFER_FROM: usize = 256;
/// Attempts without an answer that make it worth while.
const MIN_UNANSWERED: usize = 16;

/// The evidence of one path.
#[derive(Clone, Debug)]
pub(super) struct PathEvidence {
    pub(super) path: Path,
    number: u8,
    index: DestinationIndex,
    /// In the order in which they were found.
    periods: Vec<PeriodEvidence>,
    recent: RecentAttempts,
}

/// The evidence of a period in which the filter stays the same.
#[derive(Clone, Debug, Default)]
struct PeriodEvidence {
    since_ns: u64,
    family: FamilyEvidence,
    range: Option<Box<InferredRange>>,
    /// Attempts when the range was inferred.
    inferred_at: u64,
    /// Of each side, whether its failures come in runs, and how many attempts there were when that was looked at.
    runs: [(u64, bool); 3],
}

/// What is said of a period, and when it begins and ends; `None` where the capture does.
#[derive(Clone, Debug)]
pub struct InPeriod<T> {
    /// From this time on.
    pub since_ns: Option<u64>,
    /// Up to this time.
    pub until_ns: Option<u64>,
    /// What is said.
    pub value: T,
}

/// An attempt under way that belongs elsewhere now.
pub(super) struct Moved {
    pub(super) id: u32,
    pub(super) place: Place,
    pub(super) is_weighed: bool,
}

impl PathEvidence {
    pub(super) fn new(path: Path, number: u8) -> Self {
        let (index, recent) = (DestinationIndex::default(), RecentAttempts::default());
        Self { path, number, index, periods: vec![PeriodEvidence::default()], recent }
    }

    /// Where an attempt belongs that began, or was answered, at this time.
    pub(super) fn place(&mut self, destination: Destination, side: Side, at_ns: u64) -> Place {
        Place { path: self.number, period: self.period_at(at_ns), entry: self.index.number(destination), side }
    }

    /// The period of a time.
    pub(super) fn period_at(&self, at_ns: u64) -> u8 {
        let periods = (0u8..).zip(&self.periods).filter(|(_, period)| period.since_ns <= at_ns);
        periods.max_by_key(|(_, period)| period.since_ns).map_or(0, |(number, _)| number)
    }

    fn period(&mut self, number: u8) -> &mut PeriodEvidence {
        // A number is only that of a period.
        &mut self.periods[usize::from(number)]
    }

    /// Counts an attempt, `id` while it is under way; the number to take it back by, and whether it is weighed.
    pub(super) fn count(&mut self, place: Place, id: Option<u32>, at_ns: u64, probe: Probe) -> (u64, bool) {
        let is_weighed = self.period(place.period).family.count(place, at_ns, probe);
        (self.recent.push(at_ns, id, place, probe, is_weighed), is_weighed)
    }

    /// Takes back an unanswered attempt.
    pub(super) fn uncount(&mut self, place: Place, number: u64, is_weighed: bool) {
        self.period(place.period).family.uncount(place, false, is_weighed);
        self.recent.take_back(number);
    }

    /// An attempt that was under way is over, and what was counted holds.
    pub(super) fn ended(&mut self, number: u64) {
        self.recent.end(number);
    }

    /// How strong the claim is about that port: of the policy, or of another range where the attempts prove one.
    pub(super) fn assess(&mut self, place: Place, port: u16) -> (Option<Assessment>, Option<&PortSet>) {
        let period = self.period(place.period);
        let policy = (place.side != Side::Inside).then(|| period.family.assess(place.entry, place.side));
        let policy = policy.map(|policy| self.unless_in_runs(place.period, policy));
        if policy.is_some_and(|policy| policy.strength().holds()) {
            return (policy, None);
        }
        let range = self.range(place.period);
        let inferred = range.and_then(|range| range.assess(place.entry, port));
        (inferred.or(policy), range.filter(|_| inferred.is_some()).map(|range| &range.ports))
    }

    /// The assessment, or that there is nothing to compare with where an outage explains the failures as well.
    fn unless_in_runs(&mut self, number: u8, assessment: Assessment) -> Assessment {
        let Some(index) = (assessment.side as usize).checked_sub(1).filter(|_| assessment.strength().holds()) else {
            return assessment;
        };
        let counted = self.recent.counted();
        let (at, was_in_runs) = self.periods[usize::from(number)].runs[index];
        let is_in_runs = if counted > at + at / 8 {
            let is_in_runs = come_in_runs(&sorted(&self.recent, number), of_policy(assessment.side));
            self.periods[usize::from(number)].runs[index] = (counted, is_in_runs);
            is_in_runs
        } else {
            was_in_runs
        };
        if is_in_runs { Assessment { reason: Reason::NothingToCompare, ..assessment } } else { assessment }
    }

    /// The range that the path accepts in a period, inferred again once much more is known.
    fn range(&mut self, number: u8) -> Option<&InferredRange> {
        let counted = self.recent.counted();
        let period = self.periods.get_mut(usize::from(number))?;
        if counted > period.inferred_at + period.inferred_at / 2 {
            let attempts = sorted(&self.recent, number);
            period.inferred_at = counted;
            let range = InferredRange::of(self.path.is_ipv4, &self.index, &attempts);
            period.range = range.filter(|range| !come_in_runs(&attempts, of_range(&range.ports))).map(Box::new);
        }
        period.range.as_deref()
    }

    /// Looks from time to time whether the filter has changed; attempts under way that belong elsewhere then.
    pub(super) fn look(&mut self) -> Vec<Moved> {
        let counted = self.recent.counted();
        if !counted.is_multiple_of(LOOK_EVERY) || self.periods.len() >= MAX_PERIODS {
            return Vec::new();
        }
        let newest = self.period_at(u64::MAX);
        self.hint(newest, counted).map_or_else(Vec::new, |at_ns| self.split(newest, at_ns))
    }

    /// When the filter changed, where the newest attempts fare otherwise than those before.
    fn hint(&self, number: u8, counted: u64) -> Option<u64> {
        let newest = |many: usize| self.recent.iter().rev().take(many).filter(move |it| it.place.period == number);
        let fare = |is_it: &dyn Fn(&RecentAttempt) -> bool| {
            let these: Vec<_> = newest(NEWEST).filter(|attempt| is_it(attempt)).collect();
            let answered = these.iter().filter(|attempt| attempt.answered).count();
            (these.len() >= 4).then(|| Passing::of(answered, these.len()))
        };
        let period = self.periods.get(usize::from(number))?;
        for side in Side::OUTSIDE {
            let all = period.family.all(side);
            let before = Passing::of(all.answered as usize, all.total() as usize);
            let now = fare(&|attempt| attempt.place.side == side);
            if now.is_some_and(|now| now != Passing::Sometimes && now != before)
                && let Some(at_ns) = change::find(&sorted(&self.recent, number), of_policy(side))
            {
                return Some(at_ns);
            }
        }
        if let Some(range) = &period.range
            && fare(&|attempt| !range.ports.contains(attempt.port)) == Some(Passing::Mostly)
            && let Some(at_ns) = change::find(&sorted(&self.recent, number), of_range(&range.ports))
        {
            return Some(at_ns);
        }
        let is_due = counted.is_multiple_of(INFER_EVERY)
            && newest(INFER_FROM).filter(|attempt| !attempt.answered).count() >= MIN_UNANSWERED;
        if !is_due {
            return None;
        }
        let attempts = sorted(&self.recent, number);
        let newest = &attempts[attempts.len().saturating_sub(INFER_FROM)..];
        let range = InferredRange::of(self.path.is_ipv4, &self.index, newest)?;
        change::find(&attempts, of_range(&range.ports))
    }

    /// Looks for every change, at the end of a capture, and has everything tested again.
    pub(super) fn settle(&mut self) {
        let mut number = 0;
        while let Some(period) = u8::try_from(number).ok().filter(|_| number < self.periods.len()) {
            match self.change_within(period).filter(|_| self.periods.len() < MAX_PERIODS) {
                Some(at_ns) => drop(self.split(period, at_ns)),
                None => number += 1,
            }
        }
        for period in &mut self.periods {
            (period.inferred_at, period.runs) = (0, <[(u64, bool); 3]>::default());
            period.family.settle();
        }
    }

    /// When the filter changed in a period, to or from the policy or any range.
    fn change_within(&self, number: u8) -> Option<u64> {
        let attempts = sorted(&self.recent, number);
        let sides = || Side::OUTSIDE.into_iter().find_map(|side| change::find(&attempts, of_policy(side)));
        let part = attempts.len() / 2;
        let few = part.min(INFER_FROM);
        let parts = [&attempts[..part], &attempts[part..], &attempts[..few], &attempts[attempts.len() - few..]];
        let ranges = || {
            parts.into_iter().find_map(|part| {
                let unanswered = part.iter().filter(|attempt| !attempt.answered).count();
                let range =
                    (unanswered >= MIN_UNANSWERED).then(|| InferredRange::of(self.path.is_ipv4, &self.index, part));
                change::find(&attempts, of_range(&range??.ports))
            })
        };
        sides().or_else(ranges)
    }

    /// Has what began from this time on judged by itself; attempts under way that belong there now.
    fn split(&mut self, number: u8, at_ns: u64) -> Vec<Moved> {
        let Ok(next) = u8::try_from(self.periods.len()) else { return Vec::new() };
        let mut period = PeriodEvidence { since_ns: at_ns, ..PeriodEvidence::default() };
        let mut moved = Vec::new();
        let before = &mut self.periods[usize::from(number)];
        (before.range, before.inferred_at, before.runs) = (None, 0, <[(u64, bool); 3]>::default());
        let is_moved = |attempt: &&mut RecentAttempt| attempt.place.period == number && attempt.at_ns >= at_ns;
        for attempt in self.recent.iter_mut().filter(is_moved) {
            before.family.uncount(attempt.place, attempt.answered, attempt.is_weighed);
            attempt.place.period = next;
            attempt.is_weighed = period.family.count(attempt.place, attempt.at_ns, attempt.probe());
            let RecentAttempt { place, is_weighed, .. } = *attempt;
            moved.extend(attempt.id().map(|id| Moved { id, place, is_weighed }));
        }
        self.periods.push(period);
        moved
    }

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
    pub(super) fn policies(&self) -> Vec<InPeriod<Vec<SideEvidence>>> {
        let periods = self.in_order().into_iter();
        let sides = |number: u8, period: &PeriodEvidence| {
            let mut sides = period.family.policies();
            for side in sides.iter_mut().filter(|side| side.assessment.strength().holds()) {
                if come_in_runs(&sorted(&self.recent, number), of_policy(side.assessment.side)) {
                    side.assessment.reason = Reason::NothingToCompare;
                }
            }
            sides
        };
        let of_all = periods.map(|(number, period)| self.bounds(period, sides(number, period)));
        of_all.filter(|period| !period.value.is_empty()).collect()
    }

    /// Whether the filter changed.
    pub(super) const fn has_changed(&self) -> bool {
        self.periods.len() > 1
    }

    /// Which ports the path accepts, period by period.
    pub(super) fn conclusions(&self) -> Vec<InPeriod<Conclusion>> {
        let periods = self.in_order().into_iter();
        let conclude = |number| infer(self.path.is_ipv4, &self.index, &sorted(&self.recent, number), Order::Seconds);
        periods.map(|(number, period)| self.bounds(period, conclude(number))).collect()
    }

    /// Bytes allocated.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        let families = self.periods.iter().map(|period| period.family.bytes());
        size_of::<Self>() + self.index.bytes() + self.recent.bytes() + families.sum::<usize>()
    }
}

/// Whether failures outside follow one another in a single run or in few long ones, without an answer inside in between: so does an
/// outage that hits ports which are used in turn. Attempts in the order of their time.
fn come_in_runs(attempts: &[RecentAttempt], is_inside: impl Fn(&RecentAttempt) -> Option<bool>) -> bool {
    const ENOUGH_RUNS: usize = 8;
    const LONG_RUN: usize = 8;
    let (mut runs, mut failures, mut is_in_run) = (0, 0, false);
    for attempt in attempts {
        match (is_inside(attempt), attempt.answered) {
            (Some(true), true) => is_in_run = false,
            (Some(false), false) => {
                runs += usize::from(!is_in_run);
                failures += 1;
                is_in_run = true;
            }
            (Some(_) | None, _) => {}
        }
    }
    runs < ENOUGH_RUNS && failures > 0 && (runs == 1 || failures >= runs * LONG_RUN)
}

/// The attempts of a period by their time.
fn sorted(recent: &RecentAttempts, period: u8) -> Vec<RecentAttempt> {
    let mut attempts: Vec<_> = recent.iter().filter(|attempt| attempt.place.period == period).copied().collect();
    attempts.sort_by_key(|attempt| attempt.at_ns);
    weigh(&mut attempts);
    attempts
}

fn of_policy(side: Side) -> impl Fn(&RecentAttempt) -> Option<bool> {
    move |attempt| match attempt.place.side {
        Side::Inside => Some(true),
        of if of == side => Some(false),
        Side::Below | Side::Between | Side::Above => None,
    }
}

fn of_range(ports: &PortSet) -> impl Fn(&RecentAttempt) -> Option<bool> {
    move |attempt| Some(ports.contains(attempt.port))
}
