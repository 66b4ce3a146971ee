//! For unit tests of causes.

use super::{Case, Cause, cause_of};
use crate::model::{Attempt, Capture, Dropped, InterfaceName, example};

/// A pod's attempt through a port that is allowed, retransmitted once, both SYNs seen leaving, nothing came back.
pub(super) fn failing() -> Attempt {
    example::attempt("10.42.0.7:51234", "203.0.113.80:443", "192.0.2.1:40000", "203.0.113.80:443")
}

/// On a node whose address is 192.0.2.1 and that knows the reasons of drops.
pub(super) fn capture() -> Capture {
    example::capture("node7")
}

/// The name of an interface.
pub(super) fn name(text: &str) -> InterfaceName {
    let mut bytes = [0; 16];
    bytes[..text.len()].copy_from_slice(text.as_bytes());
    InterfaceName::new(bytes)
}

pub(super) const fn dropped(count: u8, reason: u32, ctinfo: u8) -> Dropped {
    Dropped { count, reason, ctinfo, are_mixed: false }
}

pub(super) fn applies_to(cause: &Cause, attempt: &Attempt) -> bool {
    (cause.applies)(&Case::new(attempt, &capture()))
}

pub(super) fn id_of(attempt: &Attempt) -> &'static str {
    cause_of(&Case::new(attempt, &capture())).id
}

pub(super) fn explained(cause: &Cause, attempt: &Attempt) -> String {
    (cause.explain)(&Case::new(attempt, &capture()))
}

/// The explanation contains that text.
#[track_caller]
pub(super) fn says(cause: &Cause, attempt: &Attempt, text: &str) {
    let explained = explained(cause, attempt);
    assert!(explained.contains(text), "{explained}");
}
