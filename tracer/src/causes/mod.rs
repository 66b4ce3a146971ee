//! Why a SYN was sent again, one cause a file, in order of precedence.
//!
//! To add one: a file here, a line in `ALL`, a scenario of the same stem in `lab/scenarios/`.

mod port_out_of_range;

use crate::model::{Attempt, Capture, PortSet};

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
    pub judge: fn(&Case<'_>) -> Verdict,
    /// What happened, in one sentence with its numbers.
    pub explain: fn(&Case<'_>) -> String,
    /// What to do about it.
    pub advice: &'static str,
}

/// An attempt to be judged, with what is known around it.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// The attempt.
    pub attempt: &'a Attempt,
    /// Where it was captured.
    pub capture: &'a Capture,
    /// The translated ports that are allowed for its address family.
    pub allowed: &'a PortSet,
}

impl<'a> Case<'a> {
    /// The case of an attempt, by the policy of its capture.
    #[must_use]
    pub fn new(attempt: &'a Attempt, capture: &'a Capture) -> Self {
        Self { attempt, capture, allowed: capture.policy.allowed_for(attempt) }
    }

    /// Whether NAT changed the source: `None` where nothing proves it either way.
    ///
    /// Where only the wire saw the SYN, an own address of the node as its source tells: the node's own sockets would
    /// have been seen, so somebody behind it was given that address.
    #[must_use]
    pub fn is_translated(&self) -> Option<bool> {
        self.attempt.is_translated().or_else(|| {
            let translated = self.attempt.translated?;
            self.capture.addresses.contains(&translated.src_addr()).then_some(true)
        })
    }
}

/// Every cause, the first that applies wins.
pub const ALL: &[Cause] = &[port_out_of_range::CAUSE];

/// The first cause that applies.
#[must_use]
pub fn judge(case: &Case<'_>) -> Option<&'static Cause> {
    ALL.iter().find(|cause| (cause.judge)(case) == Verdict::Yes)
}

/// Whether the attempt is to be flagged: its SYN was sent again, and its source was translated to a port outside the
/// allowed ones.
#[must_use]
pub fn is_flagged(case: &Case<'_>) -> bool {
    port_out_of_range::judge(case) == Verdict::Yes
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
