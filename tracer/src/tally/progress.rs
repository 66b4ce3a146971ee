//! What is known of a node's attempts so far, counted as soon as it is known. Every count only grows, so that a difference
//! of two moments is what happened in between.

use tracer_common::config::Loss;
use tracer_common::events::Lost;

use crate::causes;
use crate::model::{Attempt, Judgement, Strength};

/// The counts of one node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Attempts that have ended.
    pub attempts: u64,
    /// Of those, the ones whose translated tuple is known.
    pub translated: u64,
    /// Attempts whose SYN was retransmitted, from their first retransmit on.
    pub retransmitted: u64,
    /// Attempts that were flagged, from the first flagged retransmit on.
    pub flagged: u64,
    /// SYN retransmits by cause, as known at the retransmit; in the order of [`causes::ALL`].
    pub by_cause: [u64; causes::ALL.len()],
    /// Flagged SYN retransmits by the evidence at the retransmit; in the order of [`Strength::ALL`].
    pub by_strength: [u64; Strength::ALL.len()],
    /// Events lost in the kernel, by [`Loss`].
    pub lost: [u64; Loss::ALL.len()],
}

impl Progress {
    /// Counts a SYN retransmit with its judgement, and what the attempt's judgement was before. A repeated report counts no
    /// retransmit again, but the attempt may only be flagged now.
    pub fn retransmit(&mut self, now: &Judgement, before: &Judgement, is_repeated: bool) {
        self.retransmitted += u64::from(before.cause.is_none());
        self.flagged += u64::from(now.flagged && !before.flagged);
        let is_counted = is_repeated && before.cause.is_some();
        if let Some(id) = now.cause.filter(|_| !is_counted)
            && let Some(count) = causes::ALL.iter().position(|cause| cause.id == id).map(|at| &mut self.by_cause[at])
        {
            *count += 1;
        }
        if now.flagged && !(is_repeated && before.flagged) {
            self.by_strength[now.strength.unwrap_or(Strength::NoneYet) as usize] += 1;
        }
    }

    /// Counts an attempt that has ended.
    pub fn ended(&mut self, attempt: &Attempt) {
        self.attempts += 1;
        self.translated += u64::from(attempt.translated.is_some());
    }

    /// Counts what the kernel could not deliver.
    pub fn lost(&mut self, lost: &Lost) {
        self.lost.iter_mut().zip(lost.counts).for_each(|(sum, more)| *sum = sum.saturating_add(more));
    }

    /// Causes with their counts.
    pub fn causes(&self) -> impl Iterator<Item = (&'static str, u64)> {
        causes::ALL.iter().map(|cause| cause.id).zip(self.by_cause)
    }

    /// Strengths with their counts.
    pub fn strengths(&self) -> impl Iterator<Item = (Strength, u64)> {
        Strength::ALL.into_iter().zip(self.by_strength)
    }

    /// SYN retransmits.
    pub fn retransmits(&self) -> u64 {
        self.by_cause.iter().sum()
    }

    /// SYN retransmits that were flagged.
    pub fn flagged_retransmits(&self) -> u64 {
        self.by_strength.iter().sum()
    }

    /// Events that are certainly lost.
    pub fn lost_total(&self) -> u64 {
        let certain = Loss::ALL.into_iter().zip(self.lost).filter(|(loss, _)| loss.is_certain());
        certain.fold(0, |sum, (_, count)| sum.saturating_add(count))
    }

    /// What happened since an earlier moment.
    pub fn since(&self, earlier: &Self) -> Self {
        let mut since = *self;
        since.attempts -= earlier.attempts;
        since.translated -= earlier.translated;
        since.retransmitted -= earlier.retransmitted;
        since.flagged -= earlier.flagged;
        let counts = since.by_cause.iter_mut().chain(&mut since.by_strength).chain(&mut since.lost);
        let before = earlier.by_cause.iter().chain(&earlier.by_strength).chain(&earlier.lost);
        counts.zip(before).for_each(|(now, before)| *now -= before);
        since
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::example::{self, FLAGGED};

    #[test]
    fn an_attempt_counts_at_its_first_retransmit_and_a_repeated_report_never_again() {
        let mut progress = Progress::default();
        let none = Judgement::default();
        let plain = Judgement { cause: Some("no_answer"), ..none };
        progress.retransmit(&plain, &none, false);
        // The original tuple became known: the same retransmit, flagged now.
        progress.retransmit(&FLAGGED, &plain, true);
        progress.retransmit(&FLAGGED, &FLAGGED, true);
        progress.retransmit(&FLAGGED, &FLAGGED, false);
        assert_eq!((progress.retransmitted, progress.flagged), (1, 1));
        assert_eq!((progress.retransmits(), progress.flagged_retransmits()), (2, 2));
        assert_eq!(progress.causes().filter(|(_, count)| *count > 0).count(), 2);
    }

    #[test]
    fn a_difference_is_what_happened_in_between() {
        let attempt = example::attempt("10.42.0.7:5000", "203.0.113.80:443", "192.0.2.1:1200", "203.0.113.80:443");
        let mut progress = Progress::default();
        progress.ended(&attempt);
        progress.retransmit(&FLAGGED, &Judgement::default(), false);
        let earlier = progress;
        progress.ended(&attempt);
        let since = progress.since(&earlier);
        assert_eq!((since.attempts, since.translated, since.flagged, since.retransmits()), (1, 1, 0, 0));
    }
}
