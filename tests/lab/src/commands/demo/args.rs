//! The options of `demo`.

use clap::{Args, ValueEnum};

use crate::rule_set::Rules;
use crate::scenario::Scenario;
use crate::scenarios;

/// Values of `-o`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum TextOrJson {
    #[default]
    Text,
    Json,
}

/// Reproduce the failure in a small network of namespaces and watch snatrace flag it
#[derive(Args)]
pub struct DemoArgs {
    /// Scenario to play; --list lists them
    #[arg(default_value = "fully_random", value_parser = scenarios::find)]
    pub(super) scenario: &'static Scenario,
    /// List the scenarios
    #[arg(long)]
    pub(super) list: bool,
    /// Number of connections
    #[arg(short = 'n', long, value_name = "CONNECTIONS", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(super) connections: u32,
    /// Which component's NAT rules to use on the node
    #[arg(long, value_enum, default_value_t)]
    pub(super) rules: Rules,
    /// Play the scenario over IPv6, behind a filter that filters IPv6 too
    #[arg(long)]
    pub(super) ipv6: bool,
    /// Number of connections at once
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(super) concurrency: u32,
    /// Give a connection up after this many milliseconds; the first SYN retransmit comes after 1000
    #[arg(long, value_name = "MS", default_value_t = 2500)]
    pub(super) give_up_ms: u64,
    /// Output format
    #[arg(short = 'o', long, value_enum, value_name = "FORMAT", default_value_t)]
    pub(super) output: TextOrJson,
    /// Build the lab, run this command instead of a capture, and take the lab down
    #[arg(last = true, value_name = "COMMAND")]
    pub(super) command: Vec<std::ffi::OsString>,
}
