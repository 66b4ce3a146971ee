//! Makes the connections of a plan, at its rate, until it is done or somebody stops it.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;
use tokio::time::sleep_until;

use super::conclude::ProbeReport;
use super::ledger::{Ask, ProbeAnswer};
use super::own_nat::{self, Own, OwnNat};
use super::plan::Plan;
use super::socket;
use crate::model::PortSet;
use crate::netns::Netns;

/// The shortest wait for an answer, and so many times the longest round trip seen.
const MIN_WAIT: Duration = Duration::from_millis(200);
const ROUND_TRIPS: u32 = 3;

/// What to ask, of targets of one address family.
#[derive(Clone, Debug)]
pub struct ProbeOptions {
    pub targets: Vec<SocketAddr>,
    /// Source ports.
    pub from: PortSet,
    /// At most so many connections.
    pub connections: usize,
    /// At most so many of them a second.
    pub rate: f64,
    /// The longest wait for an answer.
    pub timeout: Duration,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Probed {
    pub report: ProbeReport,
    /// What this node did to the connections.
    pub own_nat: Result<OwnNat, String>,
    /// Somebody stopped it.
    pub is_stopped: bool,
    pub took: Duration,
}

impl Probed {
    /// A connection whose source port NAT on this node changed, so that none of them says anything about ports: from, to.
    pub fn moved(&self) -> Option<(u16, u16)> {
        self.own_nat.as_ref().ok()?.moved
    }
}

/// Asks in the namespace of this thread. `progress` hears how many connections were made.
pub async fn run(options: &ProbeOptions, outer: &Netns, mut progress: impl FnMut(usize)) -> Result<Probed> {
    let ProbeOptions { targets, from, connections, rate, timeout } = options;
    let mut plan = Plan::new(targets.len(), from, *connections, *rate);
    let interrupt = signal(SignalKind::interrupt()).context("cannot take over Ctrl-C")?;
    let mut stop = [interrupt, signal(SignalKind::terminate()).context("cannot take over SIGTERM")?];
    let (began, mut own_nat, mut slowest, mut is_stopped) = (Instant::now(), None, None, false);
    while !is_stopped {
        let wave = plan.wave();
        if wave.is_empty() {
            break;
        }
        let wait = slowest.map_or(*timeout, |slowest: Duration| (slowest * ROUND_TRIPS).max(MIN_WAIT).min(*timeout));
        let answers;
        (answers, is_stopped) = make(&wave, targets, wait, plan.rate(), began, &mut stop).await;
        for &(ask, answer, took, second) in &answers {
            if answer.is_answer() {
                slowest = slowest.max(Some(took));
            }
            plan.take(ask, answer, second);
        }
        progress(plan.made());
        if own_nat.is_none() {
            let seen = look(&answers, targets, outer);
            let is_moved = seen.as_ref().is_ok_and(|seen| seen.moved.is_some());
            own_nat = Some(seen);
            if is_moved {
                break;
            }
        }
    }
    let own_nat = own_nat.unwrap_or_else(|| Ok(OwnNat::default()));
    Ok(Probed { report: ProbeReport::of(&plan, targets), own_nat, is_stopped, took: began.elapsed() })
}

fn look(answers: &[Answered], targets: &[SocketAddr], outer: &Netns) -> Result<OwnNat, String> {
    let own = |(ask, answer, ..): &Answered| {
        let target = *targets.get(ask.target)?;
        let source = SocketAddr::new(socket::source(target).ok()?, ask.port);
        let was_sent = !matches!(answer, ProbeAnswer::InUse | ProbeAnswer::Denied(_));
        was_sent.then_some(Own { source, target, is_answered: *answer != ProbeAnswer::Silent })
    };
    let asked: Vec<Own> = answers.iter().filter_map(own).collect();
    own_nat::look(&asked, outer).map_err(|error| format!("{error:#}"))
}

/// What became of a connection, after how long, and when it began, in seconds.
type Answered = (Ask, ProbeAnswer, Duration, u64);

/// The answers of one wave, and whether somebody stopped it.
async fn make(
    wave: &[Ask],
    targets: &[SocketAddr],
    wait: Duration,
    rate: f64,
    began: Instant,
    [interrupt, terminate]: &mut [Signal; 2],
) -> (Vec<Answered>, bool) {
    let (mut running, mut answers) = (JoinSet::new(), Vec::with_capacity(wave.len()));
    let mut next = tokio::time::Instant::now();
    let mut left = wave.iter();
    let mut ask = left.next();
    while ask.is_some() || !running.is_empty() {
        tokio::select! {
            _ = interrupt.recv() => return (answers, true),
            _ = terminate.recv() => return (answers, true),
            () = sleep_until(next), if ask.is_some() => {
                if let Some((&ask, &target)) = ask.and_then(|ask| Some((ask, targets.get(ask.target)?))) {
                    let second = began.elapsed().as_secs();
                    running.spawn(async move {
                        let (answer, took) = socket::ask(ask.port, target, wait).await;
                        (ask, answer, took, second)
                    });
                }
                next += Duration::from_secs_f64(1.0 / rate);
                ask = left.next();
            }
            Some(Ok(answer)) = running.join_next(), if !running.is_empty() => answers.push(answer),
        }
    }
    (answers, false)
}
