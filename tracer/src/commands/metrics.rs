//! Options for metrics, of the commands that capture.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use crate::metrics::{Address, Options};

/// Where metrics go.
#[derive(Args, Debug)]
#[command(next_help_heading = "Metrics")]
pub struct MetricsArgs {
    /// Serve metrics for Prometheus on this address, such as 127.0.0.1:9435 or unix:/run/snatrace.sock, with /readyz and /healthz
    #[arg(long, value_name = "ADDR", env = "SNATRACE_METRICS", hide_env_values = true, value_parser = str::parse::<Address>)]
    metrics: Option<Address>,
    /// Write metrics into this directory of node_exporter's textfile collector, every 15 seconds
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    textfile: Option<PathBuf>,
    /// Give at most N failing pods and containers metrics of their own; all others count as `other`
    #[arg(long, value_name = "N", default_value_t = 50)]
    metrics_sources: usize,
}

impl MetricsArgs {
    /// The options in plain values.
    pub fn options(&self) -> Options {
        Options { address: self.metrics.clone(), directory: self.textfile.clone(), max_sources: self.metrics_sources }
    }
}
