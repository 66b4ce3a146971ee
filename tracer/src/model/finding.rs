//! What outputs receive: a SYN retransmit, or an attempt that has ended, with the judgement of it.

use super::{Attempt, Capture, Judgement, Owner, PortSet};

/// One SYN retransmit of an attempt, judged.
#[derive(Clone, Copy, Debug)]
pub struct Finding<'a> {
    /// Where it was captured.
    pub capture: &'a Capture,
    /// When the SYN was retransmitted, nanoseconds since boot.
    pub time_ns: u64,
    /// Which retransmit of the attempt this is, from 1.
    pub ordinal: u32,
    /// The retransmit was reported before, when the original tuple was unknown.
    pub is_repeated: bool,
    /// The attempt as it is known now.
    pub attempt: &'a Attempt,
    /// Who the socket's namespace belonged to when the attempt began.
    pub owner: Option<&'a Owner>,
    /// Name of the interface by which the SYN was first seen leaving, where the user asked to see the finding.
    pub interface: Option<&'a str>,
    /// What is concluded about this retransmit, or about the attempt where it has ended.
    pub judgement: &'a Judgement,
    /// The translated ports that are allowed for its address family.
    pub allowed: &'a PortSet,
    /// No earlier finding about this attempt had this cause, or the cause is unknown and will stay so.
    pub is_news: bool,
    /// The attempt has ended: this is no retransmit.
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

/// An attempt that has ended, judged. Every attempt comes as one of these exactly once.
#[derive(Clone, Copy, Debug)]
pub struct EndedAttempt<'a> {
    /// Where it was captured.
    pub capture: &'a Capture,
    /// The attempt in its final state.
    pub attempt: &'a Attempt,
    /// Who the socket's namespace belonged to when the attempt began.
    pub owner: Option<&'a Owner>,
    /// What is concluded about it.
    pub judgement: &'a Judgement,
}
