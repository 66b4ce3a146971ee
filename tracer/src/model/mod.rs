//! The nouns: policy, attempt, judgement, capture, finding, clock. Pure: no file, socket, clock, aya or Kubernetes.

pub mod assessment;
pub mod attempt;
pub mod capture;
pub mod clock;
pub mod earlier_ports;
pub mod egress;
#[cfg(test)]
pub(crate) mod example;
pub mod filter;
pub mod finding;
pub mod judgement;
pub mod later_path;
pub mod port_distribution;
pub mod options;
pub mod owner;
pub mod owners;
pub mod period;
pub mod plural;
pub mod policy;
pub mod policy_evidence;
pub mod ports;
pub mod process;
pub mod strays;
mod uplink_name;

pub use assessment::{Answers, Assessment, Claim, Reason, Scope, Side, Strength};
pub use attempt::{Attempt, Dropped, NatMode, NatRange, Outcome, TableFill};
pub use capture::{Capture, HookState};
pub use clock::{Clock, boot_offset_s};
pub use earlier_ports::EarlierPorts;
pub use egress::{ChallengeCounts, Egress, FeatureCounts, InterfaceName, SourceAddress, SynFeatures, Watch};
pub use filter::Filter;
pub use finding::{Diagnosis, EndedAttempt, Finding};
pub use judgement::Judgement;
pub use later_path::LaterPath;
pub use options::{CaptureOptions, RecordOptions};
pub use owner::Owner;
pub use owners::{OwnerAt, Owners};
pub use period::Period;
pub use plural::plural;
pub use policy::{Origin, Policy, PolicyChange};
pub use policy_evidence::{PolicyEvidence, SideEvidence};
pub use ports::{PortSet, PortSetError};
pub use process::Process;
pub use strays::Strays;
pub use uplink_name::UplinkName;
