//! Runs `tail` on the lab's node with the traffic as its command, and reads its output.

use std::collections::{HashMap, HashSet};
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

/// A capture that has not ended this long after a signal is killed.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// The result of a capture.
pub(super) struct Captured {
    /// Flagged attempts.
    pub(super) flagged: HashSet<Flagged>,
    /// What became of the connections.
    pub(super) truths: Vec<Truth>,
    /// Lost events.
    pub(super) lost: u64,
    has_summary: bool,
    status: ExitStatus,
}

impl Captured {
    /// Fails unless capture and traffic did all of their work: otherwise the comparison means nothing.
    pub(super) fn check(&self, plan: &Plan) -> Result<()> {
        if !self.status.success() {
            bail!("the capture failed ({}): see its message above", self.status);
        }
        if !self.has_summary {
            bail!("the capture ended without a summary");
        }
        if self.truths.len() != plan.connections as usize {
            bail!(
                "only {} of {} connections were made: see the message of `traffic` above",
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
        shown: HashMap::new(),
        summary: None,
    };
    let interrupted = reading.read(&mut child, signals).await?;
    let status = child.wait().await.context("cannot wait for the capture")?;
    if interrupted {
        bail!("interrupted: nothing was compared; the lab is taken down");
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
    spawn(&mut command).context("cannot start the capture")
}

/// What the capture has reported so far.
struct Reading {
    json: bool,
    expect: Expect,
    flagged: HashSet<Flagged>,
    /// The cause that was shown last, by ISN.
    shown: HashMap<u32, String>,
    summary: Option<Value>,
}

impl Reading {
    /// Reads until the capture ends; true when a signal ended it.
    async fn read(&mut self, child: &mut Child, signals: &mut Signals) -> Result<bool> {
        let stdout = child.stdout.take().context("the capture has no standard output")?;
        let mut lines = BufReader::new(stdout).lines();
        let mut interrupted = false;
        loop {
            tokio::select! {
                line = lines.next_line() => match line.context("cannot read the output of the capture")? {
                    Some(line) => self.line(&line)?,
                    None => return Ok(interrupted),
                },
                signal = signals.next() => {
                    pass_on(child, signal);
                    interrupted = true;
                }
                () = tokio::time::sleep(STOP_TIMEOUT), if interrupted => pass_on(child, Signal::SIGKILL),
            }
        }
    }

    fn line(&mut self, line: &str) -> Result<()> {
        let value: Value = serde_json::from_str(line)
            .with_context(|| format!("the capture printed a line that is not JSON: {line}"))?;
        if self.json {
            show::line(line)?;
        }
        if let Some(flagged) = Flagged::parse(&value, self.expect) {
            let cause = value["cause"].as_str().unwrap_or_default().to_owned();
            let is_news = self.shown.insert(flagged.isn, cause.clone()).is_none_or(|before| before != cause);
            self.flagged.insert(flagged);
            if is_news && !self.json {
                show::flagged(&value)?;
            }
        }
        if value["kind"] == "summary" {
            self.summary = Some(value);
        }
        Ok(())
    }
}

/// What the traffic wrote; empty if it did not start.
fn truths(path: &Path) -> Result<Vec<Truth>> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let lines =
        text.lines().map(|line| serde_json::from_str(line).context("cannot read the results of the connections"));
    lines.collect()
}
