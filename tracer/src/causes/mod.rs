//! Why a SYN was sent again, one cause a file, in order of precedence.
//!
//! To add one: a file here, a line in `ALL`, a scenario of the same stem in `lab/scenarios/`.

mod port_out_of_range;

use crate::model::{Attempt, PortSet};

/// Whether a cause applies to an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It does.
    Yes,
    /// It does not.
    No,
    /// Facts that would tell have not arrived yet.
    NotYet,
}

/// A reason for which a SYN is sent again.
pub struct Cause {
    /// The word for it in JSON, metrics, scenarios and docs.
    pub id: &'static str,
    /// Whether it applies.
    pub judge: fn(&Attempt, &PortSet) -> Verdict,
    /// What happened, in one sentence with its numbers.
    pub explain: fn(&Attempt, &PortSet) -> String,
    /// What to do about it.
    pub advice: &'static str,
}

/// Every cause, the first that applies wins.
pub const ALL: &[Cause] = &[port_out_of_range::CAUSE];

/// The first cause that applies.
#[must_use]
pub fn judge(attempt: &Attempt, allowed: &PortSet) -> Option<&'static Cause> {
    ALL.iter().find(|cause| (cause.judge)(attempt, allowed) == Verdict::Yes)
}

/// Whether the attempt is to be flagged: its source was translated, to a port outside the allowed ones.
#[must_use]
pub fn is_flagged(attempt: &Attempt, allowed: &PortSet) -> bool {
    port_out_of_range::judge(attempt, allowed) == Verdict::Yes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_has_an_id_of_its_own_and_advice() {
        for (index, cause) in ALL.iter().enumerate() {
            assert_eq!(ALL.iter().position(|other| other.id == cause.id), Some(index), "{}", cause.id);
            assert!(!cause.advice.is_empty(), "{}", cause.id);
            assert!(cause.id.bytes().all(|byte| byte == b'_' || byte.is_ascii_lowercase()), "{}", cause.id);
        }
    }
}
