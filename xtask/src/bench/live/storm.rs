//! The load: `snatrace-lab traffic --storm` and its server as children, and what they did in a window of time.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::Bench;
use super::machine;

/// A storm that goes on until it is dropped.
pub struct Storm {
    client: Asked,
    server: Asked,
    packet_threads: Vec<u32>,
}

/// What happened while one looked.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// CPU of the whole machine per connection.
    pub cpu_us: f64,
    /// Of it, CPU of client, server, tool and the kernel's packet threads, and of nothing else on the machine.
    pub own_cpu_us: f64,
    /// Of that, CPU of the tool's own process: what reads and shows, without what its hooks take in those of others.
    pub tool_us: f64,
    /// Connections a second.
    pub rate: f64,
    pub p50_us: f64,
    pub p99_us: f64,
    pub max_us: f64,
    pub established: f64,
    pub failed: f64,
    /// Share of the machine that went to others.
    pub foreign: f64,
}

impl Storm {
    /// Storms at a rate, or as hard as possible.
    pub fn start(bench: &Bench, rate: Option<u32>) -> Result<Self> {
        let mut server = Asked::start(bench, &["--storm-server".to_owned()])?;
        server.line().context("the storm's server does not listen")?;
        let mut args = vec!["--storm".to_owned()];
        if let Some(rate) = rate {
            args.push(format!("--rate={rate}"));
        }
        let mut storm = Self { client: Asked::start(bench, &args)?, server, packet_threads: machine::packet_threads() };
        storm.window(bench.plan.settle, None)?;
        Ok(storm)
    }

    /// What happens from now on for so long; `tool` runs beside.
    pub fn window(&mut self, length: Duration, tool: Option<u32>) -> Result<Window> {
        let pids: Vec<u32> = [self.client.pid(), self.server.pid(), std::process::id()]
            .into_iter()
            .chain(self.packet_threads.iter().copied())
            .collect();
        let used =
            || [tool.as_slice(), &pids].map(|pids| pids.iter().map(|&pid| machine::used(pid).cpu_ns).sum::<u64>());
        self.client.ask()?;
        let before = used();
        thread::sleep(length);
        let after = used();
        let [tool, rest] = [0, 1].map(|index| after[index].saturating_sub(before[index]) as f64);
        let own = tool + rest;
        let counted = self.client.ask()?;
        let figure = |name: &str| counted[name].as_f64().with_context(|| format!("the storm does not say {name}"));
        let (established, elapsed_ns) = (figure("established")?, figure("elapsed_ns")?);
        if established < 1.0 {
            bail!("no connection of the storm was established: is the lab in order?");
        }
        // Taken by the storm itself, at the very moments between which it counted.
        let unused = figure("idle_ns")? + figure("steal_ns")?;
        let busy = (elapsed_ns * figure("cpus")? - unused).max(0.0);
        Ok(Window {
            cpu_us: busy / established / 1e3,
            own_cpu_us: own / established / 1e3,
            tool_us: tool / established / 1e3,
            rate: established / elapsed_ns * 1e9,
            p50_us: figure("p50_ns")? / 1e3,
            p99_us: figure("p99_ns")? / 1e3,
            max_us: figure("max_ns")? / 1e3,
            established,
            failed: figure("failed")?,
            foreign: (busy - own).max(0.0) / elapsed_ns,
        })
    }
}

impl Window {
    pub fn json(&self) -> Value {
        json!({
            "cpu_us": self.cpu_us,
            "own_cpu_us": self.own_cpu_us,
            "tool_us": self.tool_us,
            "rate": self.rate,
            "p50_us": self.p50_us,
            "p99_us": self.p99_us,
            "max_us": self.max_us,
            "established": self.established,
            "failed": self.failed,
            "foreign_cpus": self.foreign,
        })
    }
}

/// A child that answers lines, and ends when nobody can ask any more.
struct Asked {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl Asked {
    fn start(bench: &Bench, args: &[String]) -> Result<Self> {
        let mut command = bench.lab.command(&bench.lab.pod, &bench.lab.program);
        command.arg("traffic").args(args).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().context("the storm cannot be started")?;
        let stdin = child.stdin.take();
        let stdout = BufReader::new(child.stdout.take().context("the storm has no output")?);
        Ok(Self { child, stdin, stdout })
    }

    fn pid(&self) -> u32 {
        self.child.id()
    }

    fn ask(&mut self) -> Result<Value> {
        let stdin = self.stdin.as_mut().context("the storm is over")?;
        stdin.write_all(b"\n").context("the storm has ended")?;
        serde_json::from_str(&self.line()?).context("the storm's answer is no JSON")
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        if self.stdout.read_line(&mut line)? == 0 {
            bail!("the storm has ended: {}", self.child.wait()?);
        }
        Ok(line)
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        drop(self.stdin.take());
        // It ends with its input; what it exits with says nothing more.
        let _ = self.child.wait();
    }
}
