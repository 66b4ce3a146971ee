//! `traffic`: makes the connections of a lab's plan and writes the outcome of each. Run by `demo`, tests and benches.

use std::fs::File;
use std::io::{self, BufWriter, LineWriter};
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use nix::sys::signal::Signal;

use crate::net::Net;
use crate::plan::Plan;
use crate::traffic::{self, flood, storm};

/// Make the connections of the lab that this runs in
#[derive(Args)]
pub struct TrafficArgs {
    /// Number of connections [default: as planned by the demo]
    #[arg(short = 'n', long, value_name = "CONNECTIONS")]
    connections: Option<u32>,
    /// Number of connections at once [default: as planned by the demo]
    #[arg(long, value_name = "N")]
    concurrency: Option<u32>,
    /// Give a connection up after this many milliseconds [default: as planned by the demo]
    #[arg(long, value_name = "MS")]
    give_up_ms: Option<u64>,
    /// Write the outcome of each connection to this file instead of standard output, one JSON object per line
    #[arg(long, value_name = "FILE", env = "SNATRACE_LAB_TRUTH")]
    truth: Option<PathBuf>,
    /// Open connections as fast as possible until standard input ends; a line on standard input asks for the counts since the last one
    #[arg(long)]
    storm: bool,
    /// Connections per second of the storm [default: as many as possible]
    #[arg(long, value_name = "N", requires = "storm", value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
    /// Accept the connections of a storm until standard input ends
    #[arg(long, conflicts_with = "storm")]
    storm_server: bool,
    /// Send this many SYNs from the node that get no answer, instead
    #[arg(long, value_name = "N", conflicts_with_all = ["storm", "storm_server"])]
    flood: Option<u32>,
}

/// Makes the connections.
pub fn run(args: &TrafficArgs) -> Result<u8> {
    // A killed capture must not leave its traffic behind.
    nix::sys::prctl::set_pdeathsig(Signal::SIGTERM).context("cannot ask for a signal at the end of the parent")?;
    let mut plan = Plan::from_env()?;
    if let Some(count) = args.flood {
        flood::run(&Net::new(plan.lab), count)?;
        return Ok(0);
    }
    if args.storm || args.storm_server {
        return storm(args, &Net::new(plan.lab));
    }
    plan.connections = args.connections.unwrap_or(plan.connections);
    plan.concurrency = args.concurrency.unwrap_or(plan.concurrency);
    plan.give_up_ms = args.give_up_ms.unwrap_or(plan.give_up_ms);
    match &args.truth {
        Some(path) => {
            let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
            traffic::run(&plan, &mut BufWriter::new(file))?;
        }
        None => traffic::run(&plan, &mut LineWriter::new(io::stdout().lock()))?,
    }
    Ok(0)
}

fn storm(args: &TrafficArgs, net: &Net) -> Result<u8> {
    traffic::raise_descriptor_limit()?;
    if args.storm_server {
        storm::serve(net)?;
    } else {
        // At a fixed rate, connections rarely wait for one another; more at once would overflow the packet queue of a processor.
        let usual = if args.rate.is_some() { 256 } else { 32 };
        let at_once = args.concurrency.map_or(usual, |at_once| at_once as usize);
        storm::run(net, storm::Load { rate: args.rate, at_once })?;
    }
    Ok(0)
}
