//! snatrace: finds TCP connections that fail because NAT chose a source port outside the range that a filter accepts.
//!
//! `pipeline` is the first file to read. Imports run one way, downwards in this list.

#![cfg_attr(not(feature = "ebpf"), allow(dead_code, unused_imports, reason = "only live capture uses it"))]

pub mod commands;
mod top;
pub mod pipeline;
pub mod source;
mod metrics;
pub mod report;
mod export;
pub mod outputs;
mod probe;
pub mod checks;
mod conntrack;
mod counts;
pub mod summary;
mod tally;
mod evidence;
pub mod infer;
pub mod pcap;
pub mod join;
pub mod causes;
pub mod enrichers;
pub mod ruleset;
#[cfg(feature = "ebpf")]
mod bpf;
pub mod btf;
pub mod store;
pub mod sandbox;
mod netlink;
pub mod netns;
mod notice;
mod shortage;
mod status;
mod symbols;
mod fetch;
pub mod model;
