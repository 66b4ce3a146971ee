//! Thins out failures that follow one another: an outage is one event, however many attempts fall into it.
//!
//! Where ports count up (a plain masquerade keeps those of the client, which Linux takes one after the other), an outage
//! hits neighbouring ports. Of failures without an answered attempt between them, only the first ones are evidence for the test:
//! two to one destination, and over all destinations as many as there are attempts for each answered one. Which ones those
//! are does not depend on their ports, so the test stays exact.

/// Failures of one outage that count.
const MAX_FAILURES_PER_OUTAGE: u32 = 2;
/// Seconds for which answers are remembered: failures are known up to 127 s later, since Linux keeps trying that long.
const ANSWERS_KEPT_S: u64 = 256;

/// Of one destination. Times are those of the first SYN, in seconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Runs {
    /// A bit for each second in which an attempt began that was answered; a ring.
    answers: [u64; 4],
    newest_answer: u64,
    last_failure: u64,
    failures: u32,
}

impl Runs {
    pub(crate) fn answered(&mut self, second: u64) {
        if second > self.newest_answer {
            let stale = second - self.newest_answer;
            if stale < ANSWERS_KEPT_S {
                (0..stale).for_each(|age| self.put(second - age, false));
            } else {
                self.answers = [0; 4];
            }
            self.newest_answer = second;
        }
        if self.newest_answer - second < ANSWERS_KEPT_S {
            self.put(second, true);
        }
    }

    /// Whether this failure counts as evidence.
    pub(crate) fn failed(&mut self, second: u64) -> bool {
        self.ordinal(second) <= MAX_FAILURES_PER_OUTAGE
    }

    /// Which failure of an outage this is, from 1 on.
    fn ordinal(&mut self, second: u64) -> u32 {
        if self.is_answered_between(self.last_failure, second) {
            self.failures = 0;
        }
        self.last_failure = second;
        self.failures = self.failures.saturating_add(1);
        self.failures
    }

    fn is_answered_between(&self, a: u64, b: u64) -> bool {
        let oldest = (self.newest_answer + 1).saturating_sub(ANSWERS_KEPT_S);
        (a.min(b).max(oldest)..=a.max(b).min(self.newest_answer)).any(|second| self.has(second))
    }

    const fn has(&self, second: u64) -> bool {
        let bit = second % ANSWERS_KEPT_S;
        self.answers[(bit / 64) as usize] >> (bit % 64) & 1 == 1
    }

    const fn put(&mut self, second: u64, answered: bool) {
        let bit = second % ANSWERS_KEPT_S;
        let word = &mut self.answers[(bit / 64) as usize];
        *word = *word & !(1 << (bit % 64)) | (answered as u64) << (bit % 64);
    }
}

/// Of all destinations: an outage of the path hits each of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct PathRuns {
    runs: Runs,
    answered: u64,
    failed: u64,
}

impl PathRuns {
    pub(super) fn answered(&mut self, second: u64) {
        self.answered += 1;
        self.runs.answered(second);
    }

    /// Whether this failure counts as evidence. Where few attempts are answered, long runs of failures are to be expected.
    pub(super) fn failed(&mut self, second: u64) -> bool {
        self.failed += 1;
        let usual = (self.answered + self.failed).div_ceil(self.answered.max(1));
        u64::from(self.runs.ordinal(second)) <= usual
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_of_the_path_counts_by_how_many_attempts_are_answered_otherwise() {
        let mut path = PathRuns::default();
        (0..100).for_each(|second| path.answered(second));
        assert_eq!((200..240).filter(|&second| path.failed(second)).count(), 2);
        let mut narrow = PathRuns::default();
        let counted = (0..1000).filter(|&second| {
            if second % 50 == 0 {
                narrow.answered(second);
            }
            narrow.failed(second)
        });
        assert!(counted.count() > 990);
    }

    #[test]
    fn an_outage_counts_twice_and_no_more() {
        let mut runs = Runs::default();
        runs.answered(1000);
        let counted = (1001..1100).filter(|&second| runs.failed(second)).count();
        assert_eq!(counted, 2);
    }

    #[test]
    fn failures_among_answers_all_count() {
        let mut runs = Runs::default();
        for second in (1000..2000).step_by(10) {
            runs.answered(second);
            assert!(runs.failed(second + 1) && runs.failed(second + 2), "{second}");
        }
    }

    #[test]
    fn failures_that_are_told_late_are_placed_by_their_beginning() {
        let mut runs = Runs::default();
        (1000..1010).chain(1070..1200).for_each(|second| runs.answered(second));
        assert_eq!((1010..1070).filter(|&second| runs.failed(second)).count(), 2);
        assert!(runs.failed(1071));
    }

    #[test]
    fn long_gaps_and_times_that_fall_back_are_no_trouble() {
        let mut runs = Runs::default();
        runs.answered(1 << 40);
        runs.answered(5);
        assert!(runs.failed(u64::MAX) && runs.failed(0));
        runs.answered(u64::MAX);
    }
}
