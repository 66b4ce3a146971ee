//! A network in namespaces that fails as nodes behind a stateless filter do; used by the demo, tests and benches.
//!
//! Pods, a node that masquerades, the provider's router with its stateless filter, and a server. Everything lives in
//! namespaces of its own, numbered so that labs do not collide, and is undone by guards. See docs/lab.md.

pub mod binomial;
pub mod cgroup;
pub mod claim;
pub mod command;
pub mod commands;
pub mod faults;
pub mod fill;
pub mod filter;
pub mod lab;
pub mod masquerade;
pub mod net;
pub mod netns;
pub mod plan;
pub mod pods;
pub mod product;
pub mod requirements;
pub mod rule_set;
pub mod rules;
pub mod scenario;
pub mod scenarios;
pub mod score;
pub mod server;
pub mod topology;
pub mod traffic;
