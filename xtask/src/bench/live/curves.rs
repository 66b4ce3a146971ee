//! How cost grows: with connections a second, and with the number of interfaces that are watched.

use anyhow::Result;
use serde_json::{Value, json};

use super::pairs::Pairs;
use super::running::Running;
use super::storm::Storm;
use super::tools::{self, TAIL};
use super::{Bench, Report};
use crate::bench::figures::{Spread, shown};
use crate::bench::table;
use crate::process;

const RATES: &[Option<u32>] = &[Some(1000), Some(5000), Some(10_000), None];
const INTERFACES: &[usize] = &[1, 4, 16, 64, 256];

pub fn measure(bench: &Bench, report: &mut Report) -> Result<()> {
    rates(bench, report)?;
    interfaces(bench, report)
}

fn rates(bench: &Bench, report: &mut Report) -> Result<()> {
    let tool = tools::find(TAIL).map_err(anyhow::Error::msg)?;
    let (mut rows, mut raw) = (Vec::new(), Vec::new());
    for &rate in RATES {
        bench.progress(&format!(
            "curve: {} connections/s",
            rate.map_or_else(|| "most".to_owned(), |rate| rate.to_string())
        ));
        let pairs = Pairs::measure(bench, rate, &[tool])?;
        rows.push(vec![
            rate.map_or_else(|| "maximum".to_owned(), |rate| rate.to_string()),
            shown(pairs.untraced(|window| window.rate), 0),
            shown(pairs.untraced(|window| window.cpu_us), 1),
            shown(pairs.ratio(TAIL, |window| window.cpu_us), 3),
            shown(pairs.ratio(TAIL, |window| window.own_cpu_us), 3),
        ]);
        raw.push(pairs.json());
    }
    println!("\n{}", table::aligned(&["asked for", "conn/s", "untraced us/conn", "tail x", "tail own CPU x"], &rows));
    report.raw("curve, rates", Value::Array(raw));
    Ok(())
}

/// One of them carries the storm; the others cost only their attaching.
fn interfaces(bench: &Bench, report: &mut Report) -> Result<()> {
    let tool = tools::find(TAIL).map_err(anyhow::Error::msg)?;
    let mut storm = Storm::start(bench, None)?;
    let (mut rows, mut raw) = (Vec::new(), Vec::new());
    let mut names = vec!["eth0".to_owned()];
    for &count in INTERFACES {
        bench.progress(&format!("curve: {count} interfaces"));
        while names.len() < count {
            names.push(add_interface(bench, names.len())?);
        }
        let options: Vec<String> = names.iter().map(|name| format!("--iface={name}")).collect();
        let (mut ratios, mut starts, mut ends) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..bench.plan.rounds.min(3) {
            let without = storm.window(bench.plan.window, None)?;
            let running = Running::start_with(bench, tool, &options)?;
            starts.push(running.started.as_secs_f64() * 1e3);
            storm.window(bench.plan.settle, Some(running.pid()))?;
            let with = storm.window(bench.plan.window, Some(running.pid()))?;
            ends.push(running.end()?.took.as_secs_f64() * 1e3);
            ratios.push(with.cpu_us / without.cpu_us);
        }
        let [ratios, starts, ends] = [ratios, starts, ends].map(Spread::of);
        rows.push(vec![count.to_string(), shown(ratios, 3), shown(starts, 0), shown(ends, 0)]);
        let of = |spread: Option<Spread>| spread.map(|spread| spread.json());
        raw.push(
            json!({ "interfaces": count, "cpu_ratio": of(ratios), "start_ms": of(starts), "detach_ms": of(ends) }),
        );
    }
    println!("{}", table::aligned(&["interfaces", "CPU/conn x", "start ms (under storm)", "detach ms"], &rows));
    report.raw("curve, interfaces", Value::Array(raw));
    Ok(())
}

/// A pair, as not every kernel has dummy interfaces; its other end stays in the node too.
fn add_interface(bench: &Bench, number: usize) -> Result<String> {
    let (name, peer) = (format!("bench{number}"), format!("other{number}"));
    let words = ["link", "add", &name, "up", "type", "veth", "peer", "name", &peer];
    process::output(bench.lab.command(&bench.lab.node, "ip").args(words))?;
    Ok(name)
}
