//! `probe`: which source ports the path accepts, asked of named hosts with real connections.

use std::collections::BTreeSet;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::ValueHint;
use indicatif::{ProgressBar, ProgressStyle};

use super::values::{self, TextOrJson};
use super::{End, block_on, wrong_usage};
use crate::model::PortSet;
use crate::netns::Netns;
use crate::notice::notice;
use crate::outputs::escape::Escaped;
use crate::outputs::probe;
use crate::probe::{ProbeOptions, run as ask};

/// Options of `probe`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Servers on the other side of the filter: HOST:PORT or [IPv6]:PORT; name two or more in different networks
    #[arg(required = true, value_name = "HOST:PORT", value_hint = ValueHint::Hostname)]
    targets: Vec<String>,
    /// Source ports to connect from; ports below 1024 need CAP_NET_BIND_SERVICE
    #[arg(long, value_name = "PORTS", default_value = "1024-65535", value_parser = values::ports, allow_hyphen_values = true)]
    from: PortSet,
    /// Make at most N connections for each address family
    #[arg(short = 'n', value_name = "N", default_value_t = 300, value_parser = clap::value_parser!(u32).range(20..=10_000))]
    connections: u32,
    /// Make at most N connections a second
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rate: u32,
    /// Wait this long for an answer; below 1s each connection sends one SYN
    #[arg(long, value_name = "TIME", value_parser = values::duration, default_value = "900ms", allow_hyphen_values = true)]
    timeout: Duration,
    /// Connect from this network namespace: a name of `ip netns`, or a path such as /proc/PID/ns/net
    #[arg(long, value_name = "NETNS", value_parser = values::netns, value_hint = ValueHint::FilePath)]
    netns: Option<PathBuf>,
    /// Output format
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    output: TextOrJson,
    /// Exit with 3 if the path does not accept every port
    #[arg(long)]
    exit_code: bool,
}

/// Says what it will send, sends it, concludes.
pub fn run(args: &Args) -> Result<End> {
    let from = args.from.and(&PortSet::range(1, u16::MAX));
    if from.is_empty() {
        return Err(wrong_usage("--from: 0 is no port to connect from").into());
    }
    // The names of hosts are those of the namespace that snatrace was started in.
    let mut targets = BTreeSet::new();
    for target in &args.targets {
        targets.extend(resolve(target)?);
    }
    let (v4, v6): (Vec<SocketAddr>, Vec<SocketAddr>) = targets.into_iter().partition(SocketAddr::is_ipv4);
    let own = Netns::own()?;
    let inside = args.netns.as_deref().map_or_else(Netns::own, Netns::open)?;
    let (mut is_filtered, mut has_failed) = (false, false);
    for targets in [v4, v6].into_iter().filter(|targets| !targets.is_empty()) {
        let is_ipv4 = targets[0].is_ipv4();
        announce(args, &from, &targets);
        let options = ProbeOptions {
            targets,
            from: from.clone(),
            connections: args.connections as usize,
            rate: args.rate.into(),
            timeout: args.timeout,
        };
        let bar = progress(args.connections);
        let probed = inside.run(|| block_on(ask(&options, &own, |made| bar.set_position(made as u64)))?)?;
        bar.finish_and_clear();
        probe::write(&probed, is_ipv4, args.output.of_conclusions(), io::stdout())?;
        let has_class = probed.report.conclusion.as_ref().is_some_and(|of| of.shown_class().is_some());
        is_filtered |= has_class && probed.moved().is_none();
        has_failed |= probed.moved().is_some();
        if probed.is_stopped {
            break;
        }
    }
    ensure!(!has_failed, "cannot probe from here: NAT on this node changes the source ports");
    Ok(if args.exit_code && is_filtered { End::Flagged } else { End::Done })
}

/// The first address of each family.
fn resolve(target: &str) -> Result<Vec<SocketAddr>> {
    let name = Escaped(target);
    let found = target.to_socket_addrs().map_err(|error| {
        if error.kind() == io::ErrorKind::InvalidInput {
            let problem = format_args!("{name}: write HOST:PORT, such as example.com:443 or [2001:db8::1]:443");
            anyhow::Error::new(wrong_usage(problem))
        } else {
            anyhow::Error::new(error).context(format!("cannot resolve {name}"))
        }
    })?;
    let found: Vec<SocketAddr> =
        found.map(|address| SocketAddr::new(address.ip().to_canonical(), address.port())).collect();
    let first = |is_ipv4: bool| found.iter().copied().find(|address| address.is_ipv4() == is_ipv4);
    let targets: Vec<SocketAddr> = [first(true), first(false)].into_iter().flatten().collect();
    ensure!(targets.iter().all(|address| address.port() != 0), "{name}: 0 is no port to connect to");
    Ok(targets)
}

fn announce(args: &Args, from: &PortSet, targets: &[SocketAddr]) {
    let names: Vec<String> = targets.iter().map(ToString::to_string).collect();
    let (most, rate) = (args.connections, args.rate);
    notice(format_args!(
        "connecting to {} from ports {from}: at most {most} connections, {rate} a second, each closed at once with an RST",
        names.join(", ")
    ));
}

/// Connections made; hidden unless standard error is a terminal.
fn progress(most: u32) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {pos} of at most {len} connections");
    ProgressBar::new(most.into()).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
