//! What one row of a table counts.

use std::cmp::Reverse;
use std::ops::AddAssign;

use super::Answer;
use crate::model::{Attempt, Judgement};

/// Counts of attempts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All of them.
    pub attempts: u64,
    /// Those that were answered.
    pub answered: u64,
    /// Those that were not; the rest ended too early to know.
    pub unanswered: u64,
    /// Those of which a retransmit was flagged.
    pub flagged: u64,
    /// How many times their SYNs were retransmitted.
    pub retransmits: u64,
}

impl Counts {
    /// Of one attempt.
    pub fn of(attempt: &Attempt, judgement: &Judgement, answer: Answer) -> Self {
        Self {
            attempts: 1,
            answered: u64::from(answer == Answer::Answered),
            unanswered: u64::from(answer == Answer::Unanswered),
            flagged: u64::from(judgement.flagged),
            retransmits: attempt.retransmits.into(),
        }
    }

    /// Orders rows, the worst first.
    pub const fn severity(&self) -> Reverse<(u64, u64, u64)> {
        Reverse((self.unanswered, self.retransmits, self.attempts))
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.attempts += other.attempts;
        self.answered += other.answered;
        self.unanswered += other.unanswered;
        self.flagged += other.flagged;
        // A damaged trace may claim any number of retransmits.
        self.retransmits = self.retransmits.saturating_add(other.retransmits);
    }
}
