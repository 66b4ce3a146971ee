//! A retransmitted SYN with its verdict: what outputs receive.

use super::{Attempt, Capture, PortSet};

/// One SYN retransmit of an attempt, judged.
#[derive(Clone, Copy, Debug)]
pub struct Finding<'a> {
    /// Where it was captured.
    pub capture: &'a Capture,
    /// When the SYN was sent again, nanoseconds since boot.
    pub time_ns: u64,
    /// Which retransmit of the attempt this is, from 1.
    pub ordinal: u32,
    /// The attempt as it is known now.
    pub attempt: &'a Attempt,
    /// The translated ports that are allowed for its address family.
    pub allowed: &'a PortSet,
    /// The translated port is outside `allowed`.
    pub flagged: bool,
    /// Id of the cause, a stem of `causes/`.
    pub cause: Option<&'static str>,
    /// The cause was not told of this attempt before: it is new, or nothing tells it and nothing more will be heard.
    pub is_news: bool,
    /// The attempt is over: this is no retransmit.
    pub is_over: bool,
    /// The cause in words, where the user asked to see the finding.
    pub diagnosis: Option<&'a Diagnosis>,
}

/// A cause in words, with what led to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnosis {
    /// What happened, in one sentence with its numbers.
    pub explanation: String,
    /// What to do about it.
    pub advice: &'static str,
    /// The facts, each in a few words.
    pub evidence: Vec<String>,
}
