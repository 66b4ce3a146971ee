//! The nouns: policy, attempt, capture, finding. Pure: no file, socket, clock, aya or Kubernetes.

pub mod attempt;
pub mod capture;
pub mod finding;
pub mod law;
pub mod policy;

pub use attempt::{Attempt, NatMode, NatRange, Outcome};
pub use capture::{Capture, HookState};
pub use finding::Finding;
pub use policy::{Origin, Policy, PortSet};
