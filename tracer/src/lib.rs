//! snatrace: finds TCP connections that fail because NAT chose a source port outside the range that a filter accepts.
//!
//! `pipeline` is the first file to read. Imports run one way, downwards in this list.

pub mod commands;
pub mod top;
pub mod pipeline;
pub mod source;
pub mod metrics;
pub mod report;
pub mod export;
pub mod outputs;
pub mod probe;
pub mod checks;
pub mod conntrack;
pub mod counts;
pub mod summary;
pub mod tally;
pub mod evidence;
pub mod infer;
pub mod pcap;
pub mod join;
pub mod causes;
pub mod enrichers;
pub mod ruleset;
#[cfg(feature = "ebpf")]
pub mod bpf;
pub mod btf;
pub mod store;
pub mod sandbox;
pub mod netlink;
pub mod netns;
pub mod notice;
pub mod shortage;
pub mod status;
pub mod symbols;
pub mod fetch;
pub mod model;
