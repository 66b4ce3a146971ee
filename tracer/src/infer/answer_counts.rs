//! Answered and unanswered attempts.

/// Attempts, by whether they were answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AnswerCounts {
    /// With any answer.
    pub answered: u64,
    /// Retransmitted, and never answered.
    pub unanswered: u64,
}

impl AnswerCounts {
    pub(super) const NONE: Self = Self { answered: 0, unanswered: 0 };

    /// From counts indexed by whether it was answered.
    pub(super) fn of([unanswered, answered]: [u32; 2]) -> Self {
        Self { answered: answered.into(), unanswered: unanswered.into() }
    }

    pub(super) const fn add(&mut self, answered: bool) {
        if answered { self.answered += 1 } else { self.unanswered += 1 }
    }

    /// All attempts.
    #[must_use]
    pub const fn total(self) -> u64 {
        self.answered + self.unanswered
    }
}

impl std::iter::Sum for AnswerCounts {
    fn sum<I: Iterator<Item = Self>>(tallies: I) -> Self {
        tallies.fold(Self::NONE, |sum, more| Self {
            answered: sum.answered + more.answered,
            unanswered: sum.unanswered + more.unanswered,
        })
    }
}
