//! What follows from the connections: the conclusion of `infer`, and what else made connections fail.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use tracer_common::Flow;

use super::ledger::{Asked, Expected, ProbeAnswer};
use super::plan::Plan;
use super::runs::{passing, runs};
use crate::infer::{Conclusion, Destination, Infer, SupportingDestination};
use crate::model::{Answers, PortSet};

/// What a target did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TargetCounts {
    pub target: SocketAddr,
    pub accepted: u64,
    /// With an RST.
    pub refused: u64,
    pub unanswered: u64,
    /// Connections that an ICMP error or a missing route ended.
    pub unreachable: u64,
    /// Connections that this node refused.
    pub denied: u64,
    /// The errno of those.
    pub errno: Option<i32>,
    /// Whether its silence was left out as no evidence about ports.
    pub is_left_out: bool,
}

/// What the probe of one address family says.
#[derive(Clone, Debug, PartialEq)]
pub struct ProbeReport {
    /// As of traces; `None` where no target answered or could be asked.
    pub conclusion: Option<Conclusion>,
    /// How many were made.
    pub connections: usize,
    /// Whether each edge was followed as far as ports can be asked.
    pub is_complete: bool,
    /// By target, in the order given.
    pub targets: Vec<TargetCounts>,
    /// Ports that another socket has, and that were not asked.
    pub ports_in_use: usize,
    /// Ranges of answered and of unanswered ports, by turns.
    pub ranges: usize,
    /// Of connections from ports that had been answered before: how many, and how many went unanswered.
    pub controls: (u32, u32),
    /// An edge that was found is not there any more.
    pub is_changed: bool,
    /// The rates that were too fast: ports that had been answered went unanswered.
    pub slowed_from: Vec<f64>,
    /// The last rate.
    pub rate: f64,
    /// Answers a second at the first rate that was too fast.
    pub answers_per_second: Option<f64>,
}

impl ProbeReport {
    /// The ports that pass for sure, for `--allow`.
    pub fn allow(&self) -> Option<PortSet> {
        let class = self.conclusion.as_ref()?.shown_class()?;
        Some(PortSet::of(class.passes.iter().map(|range| (range.low.to, range.high.from))))
    }

    /// Of this plan, whose targets these are.
    pub fn of(plan: &Plan, targets: &[SocketAddr]) -> Self {
        let conclusion = conclusion(plan, targets);
        let ledger = &plan.ledger;
        let controls = ledger
            .controls(|asked| !ledger.left_out.contains(&asked.ask.target) && !ledger.too_fast.contains(&asked.pace));
        Self {
            conclusion,
            connections: ledger.asked.len(),
            is_complete: plan.is_complete(),
            targets: targets.iter().enumerate().map(|(place, target)| counts(plan, place, *target)).collect(),
            ports_in_use: ledger.in_use.len(),
            ranges: runs(&ledger.ports()).len(),
            controls: (controls.made, controls.failed),
            is_changed: plan.has_changed(),
            slowed_from: ledger.too_fast.iter().filter_map(|pace| plan.rates.get(*pace).copied()).collect(),
            rate: plan.rate(),
            answers_per_second: ledger.too_fast.first().and_then(|pace| answers_per_second(plan, *pace)),
        }
    }
}

/// Nothing is said to pass or to fail while loss may explain the silence of some ports.
fn conclusion(plan: &Plan, targets: &[SocketAddr]) -> Option<Conclusion> {
    let ports = plan.ledger.ports();
    let confirmed = if plan.is_sure() { confirmed(plan, targets) } else { Vec::new() };
    infer(plan, targets).conclusions_for(&passing(&ports), &confirmed).into_iter().next()
}

/// What is evidence, in the order of time; without ports that make an edge look sharper than it is known.
fn infer(plan: &Plan, targets: &[SocketAddr]) -> Infer {
    let doubtful = plan.doubtful();
    let mut evidence: Vec<&Asked> =
        plan.ledger.evidence().filter(|asked| !doubtful.contains(&asked.ask.port)).collect();
    evidence.sort_by_key(|asked| (asked.second, !asked.answer.is_answer()));
    let mut infer = Infer::default();
    for asked in evidence {
        let Some(target) = targets.get(asked.ask.target) else { continue };
        infer.observe(&flow(asked.ask.port, *target), asked.answer.is_answer(), asked.second);
    }
    infer
}

fn flow(port: u16, target: SocketAddr) -> Flow {
    let any = if target.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    Flow::new(SocketAddr::new(any, port), target)
}

/// The connections to each target whose outcome was predicted.
fn confirmed(plan: &Plan, targets: &[SocketAddr]) -> Vec<SupportingDestination> {
    let of = |(place, target): (usize, &SocketAddr)| {
        let count = |expected: Expected| {
            let mut counts = Answers::default();
            let asked = plan.ledger.evidence().filter(|asked| asked.ask.target == place && asked.expected == expected);
            asked.for_each(|asked| counts.add(asked.answer.is_answer()));
            counts
        };
        SupportingDestination {
            destination: Destination::of(&flow(0, *target)),
            inside: count(Expected::Answer),
            outside: count(Expected::Silence),
        }
    };
    targets.iter().enumerate().map(of).collect()
}

fn counts(plan: &Plan, place: usize, target: SocketAddr) -> TargetCounts {
    let is_left_out = plan.ledger.left_out.contains(&place);
    let mut counts = TargetCounts {
        target,
        accepted: 0,
        refused: 0,
        unanswered: 0,
        unreachable: 0,
        denied: 0,
        errno: None,
        is_left_out,
    };
    for asked in plan.ledger.asked.iter().filter(|asked| asked.ask.target == place) {
        match asked.answer {
            ProbeAnswer::Accepted => counts.accepted += 1,
            ProbeAnswer::Refused => counts.refused += 1,
            ProbeAnswer::Silent => counts.unanswered += 1,
            ProbeAnswer::Unreachable(errno) => {
                counts.unreachable += 1;
                counts.errno = Some(errno);
            }
            ProbeAnswer::Denied(errno) => {
                counts.denied += 1;
                counts.errno = Some(errno);
            }
            ProbeAnswer::InUse => {}
        }
    }
    counts
}

/// How many answers there were a second while connections were made at this rate.
#[expect(clippy::cast_precision_loss, reason = "a rate")]
fn answers_per_second(plan: &Plan, pace: usize) -> Option<f64> {
    let asked: Vec<&Asked> = plan.ledger.asked.iter().filter(|asked| asked.pace == pace).collect();
    let answers = asked.iter().filter(|asked| asked.answer.is_answer()).count();
    Some(answers as f64 / (asked.len() as f64 / plan.rates.get(pace)?))
}
