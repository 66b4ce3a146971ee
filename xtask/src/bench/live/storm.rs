//! The load: `snatrace-lab traffic --storm` and its server as children, and what they did in a window of time.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::{Bench, machine};

/// A storm that goes on until it is dropped.
pub struct Storm {
    client: Process,
    server: Process,
    packet_threads: Vec<u32>,
}

/// What happened in a window of time.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// CPU of the whole machine per connection.
    pub cpu_us: f64,
    /// The part of client, server, tool and the kernel's packet threads.
    pub own_cpu_us: f64,
    /// The part of the tool's process: reading and printing, without its hooks, which run in other processes.
    pub tool_us: f64,
    /// Connections a second.
    pub rate: f64,
    pub p50_us: f64,
    pub p99_us: f64,
    pub established: f64,
    /// Processors that others used.
    pub foreign_cpus: f64,
}

impl Storm {
    /// Connects at a rate, or as fast as possible.
    pub fn start(bench: &Bench, rate: Option<u32>) -> Result<Self> {
        let mut server = Process::start(bench, &["--storm-server".to_owned()])?;
        server.line().context("the storm's server does not listen")?;
        let rate = rate.map(|rate| format!("--rate={rate}"));
        let args: Vec<String> = std::iter::once("--storm".to_owned()).chain(rate).collect();
        let mut storm =
            Self { client: Process::start(bench, &args)?, server, packet_threads: machine::packet_threads() };
        storm.window(bench.settle, None)?;
        Ok(storm)
    }

    /// What happens from now on for so long; `tool` runs at the same time.
    pub fn window(&mut self, length: Duration, tool: Option<u32>) -> Result<Window> {
        let mut pids = vec![self.client.child.id(), self.server.child.id(), std::process::id()];
        pids.extend(&self.packet_threads);
        let used = || [tool.as_slice(), &pids].map(|pids| pids.iter().map(|&pid| machine::cpu_ns(pid)).sum::<u64>());
        self.client.ask()?;
        let before = used();
        thread::sleep(length);
        let after = used();
        let [tool, rest] = [0, 1].map(|index| after[index].saturating_sub(before[index]) as f64);
        let own = tool + rest;
        let counted = self.client.ask()?;
        let figure = |name: &str| counted[name].as_f64().with_context(|| format!("the storm does not report {name}"));
        let (established, elapsed_ns) = (figure("established")?, figure("elapsed_ns")?);
        if established < 1.0 {
            bail!("the storm established no connection: check the lab");
        }
        // The storm takes idle time at the same moments at which it counts connections.
        let unused = figure("idle_ns")? + figure("steal_ns")?;
        let busy = (elapsed_ns * figure("cpus")? - unused).max(0.0);
        Ok(Window {
            cpu_us: busy / established / 1e3,
            own_cpu_us: own / established / 1e3,
            tool_us: tool / established / 1e3,
            rate: established / elapsed_ns * 1e9,
            p50_us: figure("p50_ns")? / 1e3,
            p99_us: figure("p99_ns")? / 1e3,
            established,
            foreign_cpus: (busy - own).max(0.0) / elapsed_ns,
        })
    }
}

/// A child that answers lines, and ends with its input.
struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl Process {
    fn start(bench: &Bench, args: &[String]) -> Result<Self> {
        let mut command = bench.lab.command(&bench.lab.pod, &bench.lab.program);
        command.arg("traffic").args(args).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().context("cannot start the storm")?;
        let stdin = child.stdin.take();
        let stdout = BufReader::new(child.stdout.take().context("the storm has no output")?);
        Ok(Self { child, stdin, stdout })
    }

    fn ask(&mut self) -> Result<Value> {
        let stdin = self.stdin.as_mut().context("the storm has ended")?;
        stdin.write_all(b"\n").context("the storm has ended")?;
        serde_json::from_str(&self.line()?).context("the storm's answer is not JSON")
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        if self.stdout.read_line(&mut line)? == 0 {
            bail!("the storm has ended: {}", self.child.wait()?);
        }
        Ok(line)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.stdin.take());
        // Its exit code says nothing more.
        let _ = self.child.wait();
    }
}
