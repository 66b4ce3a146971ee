//! snatrace: finds TCP connections that fail because NAT moved their source port outside the range a filter lets through.
//!
//! `pipeline` is the first file to read. Imports run one way, downwards in this list.

pub mod causes;
pub mod commands;
pub mod join;
pub mod lab;
pub mod model;
pub mod netns;
pub mod outputs;
pub mod pipeline;
#[cfg(feature = "ebpf")]
pub mod probe;
pub mod source;
pub mod store;
pub mod summary;
