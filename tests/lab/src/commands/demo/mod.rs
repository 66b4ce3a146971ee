//! `demo`: builds the lab, captures while connections are made in it, and compares the flagged attempts with the failed connections.
//!
//! It captures by running `snatrace tail` as a user would, so that it shows what a user gets.

mod args;
mod capture;
mod child;
mod show;

use std::io::{IsTerminal, Write};

use anyhow::Result;
use clap::error::ErrorKind;

use crate::lab::Lab;
use crate::plan::{self, Plan};
use crate::scenario::Scenario;
use crate::score::Score;
use crate::{netns, product, scenarios, traffic};
pub use args::DemoArgs;
use args::TextOrJson;
use child::Signals;

/// Runs the demo.
pub fn run(args: &DemoArgs) -> Result<u8> {
    if args.list {
        return list();
    }
    let scenario = &if args.ipv6 { over_ipv6(args.scenario)? } else { *args.scenario };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(play(args, scenario))
}

fn over_ipv6(scenario: &Scenario) -> Result<Scenario, clap::Error> {
    if scenario.raw {
        let message = format!("--ipv6: the raw client of {} speaks IPv4 only: leave --ipv6 out", scenario.name);
        return Err(clap::Error::raw(ErrorKind::ArgumentConflict, message + "\n"));
    }
    Ok(scenario.over_ipv6())
}

fn list() -> Result<u8> {
    let width = scenarios::ALL.iter().map(|scenario| scenario.name.len()).max().unwrap_or_default();
    let mut out = std::io::stdout().lock();
    for scenario in scenarios::ALL {
        writeln!(out, "{:<width$} {}", scenario.name, scenario.about)?;
    }
    Ok(0)
}

async fn play(args: &DemoArgs, scenario: &Scenario) -> Result<u8> {
    // From here on signals are noted instead of ending the process, so that the lab is taken down.
    let mut signals = Signals::listen()?;
    traffic::raise_descriptor_limit()?;
    progress("building the lab ...");
    let lab = Lab::build(scenario, args.rules)?;
    let plan = plan(args, scenario, &lab);
    if !args.command.is_empty() {
        return child::run_in_lab(&args.command, &environment(&lab, scenario, &plan)?, &mut signals).await;
    }
    if args.output == TextOrJson::Text {
        show::header(scenario, &plan, &lab)?;
    }
    let captured = capture::run(args, scenario, &lab, &plan, &mut signals).await?;
    captured.check(&plan)?;
    let score = Score::new(scenario, &lab.net, &captured.truths, &captured.flagged, captured.lost);
    let drops = lab.filter_drops()?;
    match args.output {
        TextOrJson::Text => show::table(scenario, &score, drops)?,
        TextOrJson::Json => show::json(scenario, &plan, &score, drops)?,
    }
    Ok(u8::from(!score.is_right()))
}

fn plan(args: &DemoArgs, scenario: &Scenario, lab: &Lab) -> Plan {
    Plan {
        scenario: scenario.name.to_owned(),
        family: scenario.family,
        lab: lab.net.number(),
        rules: args.rules,
        connections: args.connections,
        concurrency: args.concurrency,
        give_up_ms: args.give_up_ms,
        pace_us: if args.command.is_empty() { pace_us(args.connections) } else { 0 },
    }
}

/// Time between two connections.
fn pace_us(connections: u32) -> u64 {
    /// Connections that start together retransmit together, in one run of the kernel's timers. A few labs side by side then overflow
    /// the packet queue of a processor (`netdev_max_backlog`, 1000 packets), a drop that no scenario expects.
    const MIN_PACE_US: u64 = 500;
    // A few seconds for few connections, so that people see them one after the other.
    if connections <= 100 { 3_000_000 / u64::from(connections) } else { MIN_PACE_US }
}

/// The variables that describe the lab to a command in it.
fn environment(lab: &Lab, scenario: &Scenario, plan: &Plan) -> Result<Vec<(&'static str, String)>> {
    let path = |name: &str| netns::path(name).display().to_string();
    let mut variables = vec![
        ("SNATRACE_LAB_BIN", product::lab()?.display().to_string()),
        ("SNATRACE_LAB_NODE_NETNS", path(&lab.net.node_ns())),
        ("SNATRACE_LAB_POD_NETNS", path(&lab.net.pod_ns(0))),
        ("SNATRACE_LAB_ROUTER_NETNS", path(&lab.net.router_ns())),
        ("SNATRACE_LAB_SERVER_NETNS", path(&lab.net.server_ns())),
        ("SNATRACE_LAB_SRC", lab.net.prefixes().join(",")),
        ("SNATRACE_LAB_ALLOW", scenario.allow.to_owned()),
        (plan::VARIABLE, plan.to_json()?),
    ];
    if let Some(pods) = lab.pods() {
        variables.push(("SNATRACE_LAB_HOST_ROOT", pods.host_root().display().to_string()));
        let group = pods.container(0).map(|group| group.display().to_string());
        variables.extend(group.map(|group| ("SNATRACE_LAB_POD_CGROUP", group)));
    }
    Ok(variables)
}

/// Shows progress on a terminal.
fn progress(text: &str) {
    if std::io::stderr().is_terminal() {
        eprintln!("{text}");
    }
}
