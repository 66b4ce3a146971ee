//! Asks the path which source ports are answered: `snatrace probe`. docs/probe.md has the method.
//!
//! `plan` decides which connection comes next, `ledger` keeps what became of each, `conclude` says what follows, in the words
//! of `infer`. All three are pure, so a simulated network tests them. `socket` makes one connection, `run` many at a pace.

mod conclude;
mod doubt;
mod ledger;
mod own_nat;
mod plan;
mod run;
mod runs;
mod socket;
mod strata;
mod targets;
#[cfg(test)]
mod tests;

pub use conclude::TargetCounts;
pub use run::{ProbeOptions, Probed, run};
