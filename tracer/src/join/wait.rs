//! The lists that attempts wait in for their end.

/// What an attempt waits for; each has its list, ordered by the time of the last event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// Anything at all; so far its SYNs were only dropped here, and it has no socket here.
    Dropped,
    /// Anything at all.
    Idle,
    /// Another SYN, which would show that the answer did not get through.
    Answered,
    /// Late facts; the outcome is known.
    Linger,
    /// Nothing; it went as it should.
    Done,
}

impl Wait {
    /// In the order in which attempts are given up when there are too many.
    pub(super) const ALL: [Self; 5] = [Self::Dropped, Self::Done, Self::Linger, Self::Answered, Self::Idle];
}
