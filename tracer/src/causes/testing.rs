//! For unit tests of causes.
#![allow(clippy::unwrap_used, reason = "only tests use it")]

use super::{Case, Cause};
use crate::model::{Attempt, Capture, InterfaceName, example};

/// A pod's attempt through a port that is allowed, retransmitted once, both SYNs seen leaving, nothing came back.
pub(super) fn failing() -> Attempt {
    example::attempt("10.42.0.7:51234", "203.0.113.80:443", "192.0.2.1:40000", "203.0.113.80:443")
}

/// On a node whose address is 192.0.2.1 and that knows the reasons of drops.
pub(super) fn capture() -> Capture {
    Capture { addresses: vec!["192.0.2.1".parse().unwrap()], ..example::capture("node7") }
}

/// The name of an interface.
pub(super) fn name(text: &str) -> InterfaceName {
    let mut bytes = [0; 16];
    bytes[..text.len()].copy_from_slice(text.as_bytes());
    InterfaceName::new(bytes)
}

pub(super) fn applies_to(cause: &Cause, attempt: &Attempt) -> bool {
    (cause.applies)(&Case::new(attempt, &capture()))
}
