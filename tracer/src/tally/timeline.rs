//! Counts over time, in steps that grow with the length of the trace so that their number stays bounded.

use std::collections::VecDeque;

use super::Counts;

/// Lengths of a step in seconds; each divides the next, so that steps can be merged. The last covers every time there is.
const STEP_LENGTHS_S: [i64; 12] = [1, 5, 15, 60, 300, 900, 3600, 14_400, 86_400, 864_000, 8_640_000, 86_400_000];

/// Steps at most: a day in minutes.
const MAX_STEPS: i64 = 1440;

/// A part of the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// When it begins, seconds since 1970.
    pub start_s: i64,
    /// How long it is.
    pub length_s: i64,
    /// Attempts that began in it.
    pub counts: Counts,
}

/// Counts by the time at which attempts began.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    /// Index into `STEP_LENGTHS_S`.
    length: usize,
    /// Number of the first step, counted from 1970.
    first: i64,
    steps: VecDeque<Counts>,
}

impl Timeline {
    /// Counts attempts that began at that time.
    pub fn add(&mut self, unix_s: i64, counts: Counts) {
        let index = loop {
            let number = unix_s.div_euclid(self.length_s());
            if self.reach(number) {
                break (number - self.first) as usize;
            }
            self.coarsen();
        };
        if let Some(step) = self.steps.get_mut(index) {
            *step += counts;
        }
    }

    /// All steps in at most `most` columns, without a gap.
    pub fn columns(&self, most: usize) -> Vec<Step> {
        let merged = self.steps.len().div_ceil(most.max(1)).max(1) as i64;
        let length_s = self.length_s() * merged;
        let mut columns: Vec<Step> = Vec::new();
        for (number, &counts) in (self.first..).zip(&self.steps) {
            let start_s = self.first * self.length_s() + (number - self.first).div_euclid(merged) * length_s;
            match columns.last_mut() {
                Some(last) if last.start_s == start_s => last.counts += counts,
                Some(_) | None => columns.push(Step { start_s, length_s, counts }),
            }
        }
        columns
    }

    fn length_s(&self) -> i64 {
        STEP_LENGTHS_S.get(self.length).copied().unwrap_or(i64::MAX)
    }

    /// Makes room for the step; false when that takes too many.
    fn reach(&mut self, number: i64) -> bool {
        if self.steps.is_empty() {
            self.first = number;
        }
        let (before, end) = (self.first.min(number), (self.first + self.steps.len() as i64).max(number + 1));
        if end - before > MAX_STEPS && self.length + 1 < STEP_LENGTHS_S.len() {
            return false;
        }
        while self.first > before {
            self.steps.push_front(Counts::default());
            self.first -= 1;
        }
        self.steps.resize((end - before) as usize, Counts::default());
        true
    }

    fn coarsen(&mut self) {
        let before = self.clone();
        let ratio = STEP_LENGTHS_S.get(self.length + 1).map_or(1, |next| next / self.length_s());
        self.length += 1;
        self.steps.clear();
        for (number, counts) in (before.first..).zip(before.steps) {
            let number = number.div_euclid(ratio);
            if self.reach(number)
                && let Some(step) = self.steps.back_mut()
            {
                *step += counts;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Counts = Counts { attempts: 1, answered: 0, unanswered: 1, flagged: 1, retransmits: 2 };

    fn of(times: impl IntoIterator<Item = i64>) -> Timeline {
        let mut timeline = Timeline::default();
        times.into_iter().for_each(|time| timeline.add(time, ONE));
        timeline
    }

    #[test]
    fn a_short_trace_is_shown_second_by_second() {
        let columns = of([100, 102, 102, 99]).columns(60);
        let counts: Vec<_> = columns.iter().map(|step| (step.start_s, step.length_s, step.counts.attempts)).collect();
        assert_eq!(counts, [(99, 1, 1), (100, 1, 1), (101, 1, 0), (102, 1, 2)]);
    }

    #[test]
    fn a_long_trace_is_merged_and_nothing_gets_lost() {
        let timeline = of((0..3 * 86_400).step_by(7).chain([5]));
        assert!(timeline.steps.len() <= MAX_STEPS as usize, "{}", timeline.steps.len());
        assert_eq!(timeline.length_s(), 300);
        let columns = timeline.columns(63);
        assert!(columns.len() <= 63);
        assert_eq!((columns[0].start_s, columns[0].length_s), (0, 4200));
        assert_eq!(columns[0].counts.attempts, 4200 / 7 + 1);
        assert_eq!(columns.iter().map(|step| step.counts.attempts).sum::<u64>(), (3 * 86_400_u64).div_ceil(7) + 1);
        assert!(columns.windows(2).all(|pair| pair[0].start_s + pair[0].length_s == pair[1].start_s));
    }

    #[test]
    fn times_that_no_trace_has_neither_panic_nor_fill_the_memory() {
        let timeline = of([0, i64::MAX / 1_000_000_000, -9_223_372_036, 27_670_116_110, 5]);
        assert!(timeline.steps.len() <= MAX_STEPS as usize, "{}", timeline.steps.len());
        assert_eq!(timeline.columns(60).iter().map(|step| step.counts.attempts).sum::<u64>(), 5);
    }

    #[test]
    fn nothing_has_no_columns() {
        assert!(Timeline::default().columns(60).is_empty());
    }
}
