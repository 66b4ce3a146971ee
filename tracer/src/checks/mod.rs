//! What `doctor` looks at, one check a file: pure functions from what was read of the node to reports.
//!
//! To add one: a file here with `CHECK`, a line in `ALL`, a row in docs/doctor.md. What it needs is read in `facts`.

mod bpf_nat;
mod clock;
mod conntrack;
mod conntrack_drops;
mod facts;
mod filter;
mod fixes;
mod forward;
mod hooks;
mod kernel;
mod links;
mod nat_rule;
mod nat_words;
mod node_ports;
mod own_ports;
mod path_ports;
mod privileges;
mod rp_filter;
mod rule_sources;
pub mod seen_now;
mod share;
mod switches;
mod tunnels;
mod uplinks;
mod verdict;

use schemars::JsonSchema;
use serde::Serialize;

pub use bpf_nat::BpfNat;
pub use facts::Facts;
pub use links::LinkFacts;
pub use nat_rule::RuleReport;
pub use seen_now::SeenTable;
pub use share::Share;
pub use verdict::{DoctorOutcome, DoctorVerdict, verdict};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// As it should be.
    Ok,
    /// Worth knowing.
    Note,
    /// It can cost connections, or it could not be seen whether it does.
    Warn,
    /// It costs connections, if what the user said of the filter is right.
    Problem,
}

impl Level {
    /// The word in every output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Warn => "warn",
            Self::Problem => "problem",
        }
    }
}

/// What can be done, and what follows from it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Fix {
    /// What it is.
    pub what: String,
    /// To be pasted into a root shell on this node, in this order; none where it is not done here.
    pub commands: Vec<String>,
    /// To be run where the cluster is administered.
    pub elsewhere: Vec<String>,
    /// What follows from it.
    pub consequence: String,
}

/// What a check says.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct CheckReport {
    /// The check; it can have several reports.
    pub id: &'static str,
    /// How bad it is.
    pub level: Level,
    /// In one sentence.
    pub summary: String,
    /// What that rests on.
    pub details: Vec<String>,
    /// What can be done.
    pub fixes: Vec<Fix>,
    /// The rule that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<RuleReport>,
}

impl CheckReport {
    fn detail(mut self, detail: impl Into<String>) -> Self {
        self.details.push(detail.into());
        self
    }
}

/// An entry of [`ALL`].
pub struct Check {
    /// The word in JSON and docs.
    pub id: &'static str,
    run: fn(&Facts) -> Vec<CheckReport>,
}

impl Check {
    /// A report without details.
    fn report(&self, level: Level, summary: impl Into<String>) -> CheckReport {
        let summary = summary.into();
        CheckReport { id: self.id, level, summary, details: Vec::new(), fixes: Vec::new(), rule: None }
    }
}

/// Every check, in the order of the output.
pub const ALL: &[Check] = &[
    privileges::CHECK,
    kernel::CHECK,
    clock::CHECK,
    hooks::CHECK,
    seen_now::CHECK,
    rule_sources::CHECK,
    nat_rule::CHECK,
    bpf_nat::CHECK,
    filter::CHECK,
    own_ports::CHECK,
    node_ports::CHECK,
    forward::CHECK,
    rp_filter::CHECK,
    uplinks::CHECK,
    conntrack::CHECK,
    conntrack_drops::CHECK,
];

/// Runs every check.
pub fn run(facts: &Facts) -> Vec<CheckReport> {
    ALL.iter().flat_map(|check| (check.run)(facts)).collect()
}

/// A share as people read it: exact zero and one are said as such.
fn percent(share: f64) -> String {
    match share * 100.0 {
        0.0 => "0 %".to_owned(),
        percent if percent < 0.01 => "less than 0.01 %".to_owned(),
        percent if percent >= 100.0 => "100 %".to_owned(),
        percent => format!("{percent:.2} %"),
    }
}

#[cfg(test)]
mod tests;
