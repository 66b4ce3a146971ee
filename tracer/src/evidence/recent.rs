//! The newest attempts of a path one by one: what the range is inferred from, and where a change of the filter shows.

use std::collections::VecDeque;

use super::place::Place;
use crate::infer::{Conclusion, Destination, MAX_NUMBERS, Probe, conclude};
use crate::model::LONG_WAIT_MS;

/// Attempts that are kept.
pub(super) const MAX_RECENT: usize = 4096;

/// The number of no attempt.
pub(super) const ENDED: u32 = u32::MAX;

/// An attempt that was counted.
#[derive(Clone, Copy, Debug)]
pub(super) struct RecentAttempt {
    /// When it began; of one that was retransmitted and answered, when it was answered.
    pub(super) at_ns: u64,
    /// Its number while it is under way, else [`ENDED`].
    pub(super) id: u32,
    pub(super) port: u16,
    pub(super) place: Place,
    pub(super) answered: bool,
    /// It counts for the test of significance.
    pub(super) is_weighed: bool,
    /// It has waited for longer than one retransmit.
    pub(super) has_waited: bool,
    /// Only an RST answered.
    pub(super) is_refused: bool,
    /// It was taken back, or does not count.
    pub(super) is_void: bool,
}

/// The newest attempts, in the order in which their outcome became known.
#[derive(Clone, Debug, Default)]
pub(super) struct RecentAttempts {
    attempts: VecDeque<RecentAttempt>,
    /// How many were counted before the oldest that is kept.
    first: u64,
}

impl RecentAttempts {
    /// Keeps an attempt; the number to find it by.
    pub(super) fn push(&mut self, attempt: RecentAttempt) -> u64 {
        if self.attempts.len() >= MAX_RECENT {
            self.attempts.pop_front();
            self.first += 1;
        }
        self.attempts.push_back(attempt);
        self.counted() - 1
    }

    /// How many were kept so far.
    pub(super) fn counted(&self) -> u64 {
        self.first + self.attempts.len() as u64
    }

    fn get_mut(&mut self, number: u64) -> Option<&mut RecentAttempt> {
        self.attempts.get_mut(usize::try_from(number.checked_sub(self.first)?).ok()?)
    }

    /// The attempt does not count any more; whether it has waited for longer than one retransmit.
    pub(super) fn take_back(&mut self, number: u64) -> bool {
        let Some(attempt) = self.get_mut(number) else { return false };
        (attempt.is_void, attempt.id) = (true, ENDED);
        attempt.has_waited
    }

    /// An unanswered attempt waits on after its second retransmit; where it is counted, if that is news.
    pub(super) fn waited(&mut self, number: u64) -> Option<Place> {
        let attempt = self.get_mut(number)?;
        (!std::mem::replace(&mut attempt.has_waited, true)).then_some(attempt.place)
    }

    /// The attempt is over: its number may be another one's.
    pub(super) fn end(&mut self, number: u64) {
        if let Some(attempt) = self.get_mut(number) {
            attempt.id = ENDED;
        }
    }

    /// Whether all that were counted are kept.
    pub(super) const fn are_all(&self) -> bool {
        self.first == 0
    }

    /// Refused attempts to a destination do not count any more.
    pub(super) fn leave_out_refused(&mut self, entry: u16) -> impl Iterator<Item = RecentAttempt> {
        let is_of = move |of: &&mut RecentAttempt| !of.is_void && of.is_refused && of.place.entry == entry;
        self.attempts.iter_mut().filter(is_of).map(|attempt| {
            attempt.is_void = true;
            *attempt
        })
    }

    /// Answered ones, whether they count or not, as answered where they were accepted. Each is weighed.
    pub(super) fn accepted_or_refused(&self) -> impl Iterator<Item = RecentAttempt> {
        let answered = self.attempts.iter().filter(|attempt| attempt.answered);
        answered.map(|attempt| RecentAttempt {
            answered: !attempt.is_refused,
            is_refused: false,
            is_void: false,
            is_weighed: true,
            ..*attempt
        })
    }

    /// Those that count.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &RecentAttempt> {
        self.attempts.iter().filter(|attempt| !attempt.is_void)
    }

    /// The same, to be counted elsewhere.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut RecentAttempt> {
        self.attempts.iter_mut().filter(|attempt| !attempt.is_void)
    }

    /// Bytes allocated.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.attempts.capacity() * size_of::<RecentAttempt>()
    }
}

impl RecentAttempt {
    /// The number of the attempt, if it is under way.
    pub(super) fn id(&self) -> Option<u32> {
        (self.id != ENDED).then_some(self.id)
    }

    pub(super) const fn probe(&self) -> Probe {
        let second = self.at_ns / 1_000_000_000;
        let (port, answered, is_kept) = (self.port, self.answered, self.place.is_kept);
        // Those that did not wait for long enough were not counted.
        let waited_ms = if answered { 0 } else { LONG_WAIT_MS };
        Probe { port, answered, is_refused: self.is_refused, second, waited_ms, is_kept, is_of_counts: false }
    }
}

/// By what it is told which failures of a destination follow one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    /// By whole seconds, as `infer` has it.
    Seconds,
    /// By the order of the attempts.
    Exact,
}

/// Which ports the path accepts, by these attempts, which are in the order of their time. An outage within a second, while ports count up,
/// must not look like a range.
pub(super) fn infer<'a>(
    is_ipv4: bool,
    attempts: impl Iterator<Item = (Destination, &'a RecentAttempt)> + Clone,
) -> Conclusion {
    let by = |order| {
        let probe = |(number, (destination, attempt)): (u64, (Destination, &RecentAttempt))| {
            let probe = attempt.probe();
            (destination, Probe { second: if order == Order::Exact { number } else { probe.second }, ..probe })
        };
        conclude(is_ipv4, (0..).zip(attempts.clone()).map(probe))
    };
    let conclusion = by(Order::Seconds);
    if !conclusion.says_something() {
        return conclusion;
    }
    let exact = by(Order::Exact);
    if exact.says_something() { conclusion } else { exact }
}

/// Which of these attempts count, in the order of their time: of failures of a destination that follow one another, two.
pub(super) fn weigh(attempts: &mut [RecentAttempt]) {
    const MAX_FAILURES: u8 = 2;
    let mut failures = [0_u8; MAX_NUMBERS];
    for attempt in attempts {
        let failures = &mut failures[usize::from(attempt.place.entry)];
        *failures = if attempt.answered { 0 } else { failures.saturating_add(1) };
        attempt.is_weighed = *failures <= MAX_FAILURES;
    }
}
