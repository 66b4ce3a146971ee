//! Counts over a whole capture. Pure.

use std::collections::BTreeMap;

use tracer_common::config::Loss;
use tracer_common::events::Lost;

use crate::model::Attempt;

/// The counts at the end of a capture; field names as in JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// TCP connection attempts.
    pub attempts: u64,
    /// Those whose translated tuple is known.
    pub translated: u64,
    /// Those whose SYN was sent again.
    pub retransmitted_attempts: u64,
    /// Those of which a retransmit was flagged.
    pub flagged_attempts: u64,
    /// Retransmits that were flagged.
    pub flagged_retransmits: u64,
    /// Retransmitted attempts by cause; `unknown` where none was found.
    pub by_cause: BTreeMap<&'static str, u64>,
    /// Facts lost in the kernel, by [`Loss`].
    pub lost: [u64; Loss::ALL.len()],
    /// Attempts and bindings given up because a table was full.
    pub evicted: u64,
}

impl Summary {
    /// Counts a flagged retransmit.
    pub fn flagged_retransmit(&mut self) {
        self.flagged_retransmits += 1;
    }

    /// Counts an attempt that has ended.
    pub fn ended(&mut self, attempt: &Attempt) {
        self.attempts += 1;
        self.translated += u64::from(attempt.translated.is_some());
        self.flagged_attempts += u64::from(attempt.flagged);
        if attempt.retransmits > 0 {
            self.retransmitted_attempts += 1;
            *self.by_cause.entry(attempt.cause.unwrap_or("unknown")).or_default() += 1;
        }
    }

    /// Counts what the kernel could not deliver.
    pub fn lost(&mut self, lost: &Lost) {
        for (sum, more) in self.lost.iter_mut().zip(lost.counts) {
            *sum += more;
        }
    }
}
