//! Finds when the filter of a path changed, and has the time before and after judged by itself.

use super::super::change::{self, Passing};
use super::super::outage::{of_kind, of_policy};
use super::super::place::Place;
use super::super::range::{InferredRange, of_range};
use super::super::recent::RecentAttempt;
use super::{PathEvidence, PeriodEvidence};
use crate::model::Side;

/// Periods that are distinguished; a filter that changes more often is judged by several at once.
const MAX_PERIODS: usize = 8;
/// Attempts after which a change is looked for.
const LOOK_EVERY: u64 = 16;
/// The same where some of the newest are answered, as they are where some destinations bypass the filter.
const LOOK_SELDOM: u64 = 64;
/// The newest attempts that must fare otherwise than those before.
const NEWEST: usize = 24;
/// Attempts after which a change to a range that nobody named is looked for, and from how many that range is inferred.
const INFER_EVERY: u64 = 1024;
const INFER_FROM: usize = 256;
/// Attempts that are passed over for each that is looked for.
const MAX_PASSED_OVER: usize = 8;
/// A filter of public destinations, and one of private ones.
const KINDS: [bool; 2] = [false, true];
/// Attempts without an answer that make it worth while.
const MIN_UNANSWERED: usize = 16;

/// An attempt under way that belongs elsewhere now.
pub(in crate::evidence) struct Moved {
    pub(in crate::evidence) id: u32,
    pub(in crate::evidence) place: Place,
    pub(in crate::evidence) is_weighed: bool,
}

impl PathEvidence {
    /// Looks from time to time whether the filter has changed; attempts under way that belong elsewhere then.
    pub(in crate::evidence) fn look(&mut self) -> Vec<Moved> {
        let counted = self.recent.counted();
        if !counted.is_multiple_of(LOOK_EVERY) || self.periods.len() >= MAX_PERIODS {
            return Vec::new();
        }
        let newest = self.period_at(u64::MAX);
        let hint = KINDS.into_iter().find_map(|kind| self.hint(newest, kind, counted));
        hint.map_or_else(Vec::new, |at_ns| self.split(newest, at_ns))
    }

    /// When the filter of a kind of destinations changed, where the newest attempts fare otherwise than those before.
    fn hint(&self, number: u8, is_private: bool, counted: u64) -> Option<u64> {
        let newest = |many: usize| {
            let is_of = move |it: &&RecentAttempt| it.place.period == number && it.place.is_private == is_private;
            self.recent.iter().rev().take(many * MAX_PASSED_OVER).filter(is_of).take(many)
        };
        let these: Vec<_> = newest(NEWEST).collect();
        let fare = |is_it: &dyn Fn(&RecentAttempt) -> bool| {
            let these = || these.iter().filter(|attempt| is_it(attempt));
            let (answered, all) = (these().filter(|attempt| attempt.answered).count(), these().count());
            (all >= 4).then(|| Passing::of(answered, all))
        };
        let sorted = || of_kind(&self.recent, number, is_private);
        let period = self.periods.get(usize::from(number))?;
        for side in Side::OUTSIDE {
            let all = period.family.all_to(is_private, side);
            let before = Passing::of(all.answered as usize, all.total() as usize);
            let now = fare(&|attempt| attempt.place.side == side);
            let is_clear = now != Some(Passing::Sometimes) || counted.is_multiple_of(LOOK_SELDOM);
            if is_clear
                && now.is_some_and(|now| now != before)
                && let Some(at_ns) = change::find(&sorted(), of_policy(side))
            {
                return Some(at_ns);
            }
        }
        if let Some(range) = &period.range
            && fare(&|attempt| range.class.is_inside(attempt.port) == Some(false)) == Some(Passing::Mostly)
            && let Some(at_ns) = change::find(&sorted(), of_range(range))
        {
            return Some(at_ns);
        }
        let is_due = counted.is_multiple_of(INFER_EVERY)
            && newest(INFER_FROM).filter(|attempt| !attempt.answered).count() >= MIN_UNANSWERED;
        if !is_due {
            return None;
        }
        let sorted = sorted();
        let newest = &sorted[sorted.len().saturating_sub(INFER_FROM)..];
        let range = InferredRange::of(self.path.is_ipv4, &self.index, newest)?;
        change::find(&sorted, of_range(&range))
    }

    /// Looks for every change, at the end of a capture, and has everything tested again.
    pub(in crate::evidence) fn settle(&mut self) {
        let mut number = 0;
        while let Some(period) = u8::try_from(number).ok().filter(|_| number < self.periods.len()) {
            let change = KINDS.into_iter().find_map(|kind| self.change_within(period, kind));
            match change.filter(|_| self.periods.len() < MAX_PERIODS) {
                Some(at_ns) => drop(self.split(period, at_ns)),
                None => number += 1,
            }
        }
        for period in &mut self.periods {
            period.inferred_at = 0;
            period.doubts.clear();
            period.family.settle();
        }
    }

    /// When the filter of a kind of destinations changed in a period, to or from the policy or any range.
    fn change_within(&self, number: u8, is_private: bool) -> Option<u64> {
        let attempts = of_kind(&self.recent, number, is_private);
        let sides = || Side::OUTSIDE.into_iter().find_map(|side| change::find(&attempts, of_policy(side)));
        let part = attempts.len() / 2;
        let few = part.min(INFER_FROM);
        let parts = [&attempts[..part], &attempts[part..], &attempts[..few], &attempts[attempts.len() - few..]];
        let ranges = || {
            parts.into_iter().find_map(|part| {
                let unanswered = part.iter().filter(|attempt| !attempt.answered).count();
                let range =
                    (unanswered >= MIN_UNANSWERED).then(|| InferredRange::of(self.path.is_ipv4, &self.index, part));
                change::find(&attempts, of_range(&range??))
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
        (before.range, before.inferred_at) = (None, 0);
        before.doubts.clear();
        let is_moved = |attempt: &&mut RecentAttempt| attempt.place.period == number && attempt.at_ns >= at_ns;
        for attempt in self.recent.iter_mut().filter(is_moved) {
            before.family.uncount(attempt.place, attempt.answered, attempt.is_weighed);
            before.uncount_waited(attempt.place.side, attempt.has_waited);
            period.waited(attempt.place.side, attempt.has_waited);
            attempt.place.period = next;
            attempt.is_weighed = period.family.count(attempt.place, attempt.at_ns, attempt.probe());
            let RecentAttempt { place, is_weighed, .. } = *attempt;
            moved.extend(attempt.id().map(|id| Moved { id, place, is_weighed }));
        }
        self.periods.push(period);
        moved
    }
}
