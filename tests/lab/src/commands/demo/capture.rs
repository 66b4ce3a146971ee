//! Runs `tail` on the lab's node with the traffic as its command, and reads what it says.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::signal::Signal;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::args::{DemoArgs, TextOrJson};
use super::child::{Signals, pass_on, spawn};
use super::show;
use crate::lab::Lab;
use crate::plan::{self, Plan};
use crate::scenario::Expect;
use crate::scenario::Scenario;
use crate::score::{Flagged, lost_of};
use crate::traffic::truth::Truth;
use crate::{netns, product};

/// A capture that was told to stop and has not after this long is killed.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is known after the capture.
pub(super) struct Captured {
    /// Every flagged attempt.
    pub(super) flagged: HashSet<Flagged>,
    /// What really became of the connections.
    pub(super) truths: Vec<Truth>,
    /// Facts lost.
    pub(super) lost: u64,
    has_summary: bool,
    status: ExitStatus,
}

impl Captured {
    /// Whether capture and traffic did all of their work, so that the comparison means something.
    pub(super) fn check(&self, plan: &Plan) -> Result<()> {
        if !self.status.success() {
            bail!("the capture failed ({}): its own message says why", self.status);
        }
        if !self.has_summary {
            bail!("the capture ended without a summary");
        }
        if self.truths.len() != plan.connections as usize {
            bail!(
                "only {} of {} connections were made: the traffic's own message says why",
                self.truths.len(),
                plan.connections
            );
        }
        Ok(())
    }
}

/// Captures while the connections of the plan are made.
pub(super) async fn run(
    args: &DemoArgs,
    scenario: &Scenario,
    lab: &Lab,
    plan: &Plan,
    signals: &mut Signals,
) -> Result<Captured> {
    let truth = lab.scratch().join("truth");
    let mut child = start(scenario, lab, plan, &truth)?;
    let mut reading = Reading {
        json: args.output == TextOrJson::Json,
        expect: scenario.expect,
        flagged: HashSet::new(),
        summary: None,
    };
    let interrupted = reading.read(&mut child, signals).await?;
    let status = child.wait().await.context("the capture cannot be waited for")?;
    if interrupted {
        bail!("interrupted: the lab is taken down, nothing was compared");
    }
    Ok(Captured {
        flagged: reading.flagged,
        truths: truths(&truth)?,
        lost: reading.summary.as_ref().map_or(0, lost_of),
        has_summary: reading.summary.is_some(),
        status,
    })
}

fn start(scenario: &Scenario, lab: &Lab, plan: &Plan, truth: &Path) -> Result<Child> {
    let mut command = Command::new(product::binary()?);
    command
        .args(["tail", "--output", "json", "--allow", scenario.allow, "--src", &lab.net.prefixes().join(",")])
        .arg("--netns")
        .arg(netns::path(&lab.net.node_ns()))
        .args(lab.pods().map(|pods| format!("--host-root={}", pods.host_root().display())))
        .args(matches!(scenario.expect, Expect::Causes(_)).then_some("--all"))
        .arg("--")
        .arg(product::lab()?)
        .args(["traffic", "--truth"])
        .arg(truth)
        .env(plan::VARIABLE, plan.to_json()?)
        .env_remove("SNATRACE_ALLOW6")
        .stdout(Stdio::piped());
    spawn(&mut command).context("the capture cannot be started")
}

/// What the capture said so far.
struct Reading {
    json: bool,
    expect: Expect,
    flagged: HashSet<Flagged>,
    summary: Option<Value>,
}

impl Reading {
    /// Reads until the capture ends; true when a signal ended it.
    async fn read(&mut self, child: &mut Child, signals: &mut Signals) -> Result<bool> {
        let stdout = child.stdout.take().context("the capture has no output")?;
        let mut lines = BufReader::new(stdout).lines();
        let mut interrupted = false;
        loop {
            tokio::select! {
                line = lines.next_line() => match line.context("the capture's output cannot be read")? {
                    Some(line) => self.line(&line)?,
                    None => return Ok(interrupted),
                },
                signal = signals.next() => {
                    pass_on(child, signal);
                    interrupted = true;
                }
                () = tokio::time::sleep(PATIENCE), if interrupted => pass_on(child, Signal::SIGKILL),
            }
        }
    }

    fn line(&mut self, line: &str) -> Result<()> {
        let value: Value = serde_json::from_str(line).with_context(|| format!("the capture said no JSON: {line}"))?;
        if self.json {
            show::line(line)?;
        }
        if let Some(flagged) = Flagged::parse(&value, self.expect)
            && self.flagged.insert(flagged)
            && !self.json
        {
            show::flagged(&value)?;
        }
        if value["kind"] == "summary" {
            self.summary = Some(value);
        }
        Ok(())
    }
}

/// What the traffic wrote; nothing when it did not begin.
fn truths(path: &Path) -> Result<Vec<Truth>> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let lines = text.lines().map(|line| serde_json::from_str(line).context("the traffic's truth cannot be read"));
    lines.collect()
}
