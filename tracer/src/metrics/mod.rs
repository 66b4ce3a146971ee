//! Metrics of a live capture for Prometheus, served over HTTP or written to a file for node_exporter. docs/metrics.md has the names.
//!
//! The pipeline stores a `Snapshot` on the `Board` once a second (`observer`); everything else happens in a thread of its own
//! (`exporter`), so that no client and no disk holds up the capture. `families` turns a snapshot into the text format.

mod address;
mod board;
mod conntrack;
mod exporter;
mod families;
mod health;
mod http;
mod observer;
mod owners;
mod textfile;

pub use exporter::{MetricsExporter, MetricsOptions, Serving};
