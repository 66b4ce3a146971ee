//! Answered and unanswered attempts.

use std::fmt::{self, Display, Formatter};

/// Attempts, by whether they were answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// With any answer.
    pub answered: u64,
    /// Retransmitted, and not answered.
    pub unanswered: u64,
}

impl Answers {
    /// From counts indexed by whether it was answered.
    pub fn of([unanswered, answered]: [u32; 2]) -> Self {
        Self { answered: answered.into(), unanswered: unanswered.into() }
    }

    /// Counts an attempt.
    pub const fn add(&mut self, answered: bool) {
        if answered { self.answered += 1 } else { self.unanswered += 1 }
    }

    /// All attempts.
    pub const fn total(self) -> u64 {
        self.answered + self.unanswered
    }
}

impl Display for Answers {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.answered, self.total())
    }
}

impl std::iter::Sum for Answers {
    fn sum<I: Iterator<Item = Self>>(answers: I) -> Self {
        answers.fold(Self::default(), |sum, more| Self {
            answered: sum.answered + more.answered,
            unanswered: sum.unanswered + more.unanswered,
        })
    }
}
