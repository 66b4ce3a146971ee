//! The lines and their fields.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;

use schemars::JsonSchema;
use serde::Serialize;

use crate::infer::Conclusion;
use crate::model::{Capture, Finding, NatMode, PortSet, Strength};
use crate::outputs::inference::Inference;
use crate::outputs::policies::PolicyJson;
use crate::summary::Summary;

/// `kind:"capture"`
#[derive(Serialize, JsonSchema)]
pub(in crate::outputs) struct CaptureLine<'a> {
    #[schemars(extend("const" = "capture"))]
    pub(super) kind: &'static str,
    pub(super) time: Option<String>,
    pub(super) version: &'a str,
    pub(super) node: &'a str,
    pub(super) kernel: &'a str,
    pub(super) allowed: &'a PortSet,
    pub(super) allowed6: &'a PortSet,
    pub(super) allowed_from: &'static str,
    pub(super) hooks: Vec<HookField<'a>>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct HookField<'a> {
    pub(super) hook: &'a str,
    pub(super) off: Option<&'a str>,
}

/// `kind:"retransmit"`, and with the same fields `kind:"ended"`
#[derive(Serialize, JsonSchema)]
pub(in crate::outputs) struct RetransmitLine<'a> {
    #[schemars(extend("enum" = ["retransmit", "ended"]))]
    pub(super) kind: &'static str,
    pub(super) time: Option<&'a str>,
    pub(super) node: &'a str,
    pub(super) flagged: bool,
    pub(super) cause: Option<&'static str>,
    pub(super) src: Option<IpAddr>,
    pub(super) src_port: Option<u16>,
    pub(super) dst: Option<IpAddr>,
    pub(super) dst_port: Option<u16>,
    pub(super) nat_src: Option<IpAddr>,
    pub(super) nat_port: Option<u16>,
    pub(super) nat_dst: Option<IpAddr>,
    pub(super) nat_dst_port: Option<u16>,
    pub(super) allowed: &'a PortSet,
    pub(super) retransmits: u32,
    pub(super) outcome: &'static str,
    pub(super) nat_mode: &'static str,
    pub(super) selections: u32,
    pub(super) isn: u32,
    pub(super) netns: Option<u32>,
    pub(super) nat_netns: Option<u32>,
    pub(super) pod: Option<&'a str>,
    pub(super) namespace: Option<&'a str>,
    pub(super) container: Option<&'a str>,
    pub(super) process: Option<ProcessObject<'a>>,
    pub(super) explanation: Option<&'a str>,
    pub(super) advice: Option<&'static str>,
    pub(super) evidence: &'a [String],
    pub(super) evidence_strength: Option<&'static str>,
}

/// Which process has the socket open.
#[derive(Serialize, JsonSchema)]
pub(super) struct ProcessObject<'a> {
    pub(super) pid: u32,
    pub(super) command: Cow<'a, str>,
}

/// `kind:"summary"`
#[derive(Serialize, JsonSchema)]
pub(in crate::outputs) struct SummaryLine<'a> {
    #[schemars(extend("const" = "summary"))]
    pub(super) kind: &'static str,
    pub(super) time: Option<String>,
    pub(super) node: Option<&'a str>,
    pub(super) attempts: u64,
    pub(super) translated: u64,
    pub(super) retransmitted_attempts: u64,
    pub(super) flagged_attempts: u64,
    pub(super) flagged_retransmits: u64,
    pub(super) by_cause: BTreeMap<&'static str, u64>,
    pub(super) failed_by_cause: &'a BTreeMap<&'static str, u64>,
    pub(super) lost: u64,
    pub(super) lost_by_kind: BTreeMap<&'static str, u64>,
    pub(super) skipped: u64,
    pub(super) evicted: u64,
    pub(super) unseen_attempts: u64,
    pub(super) gave_up_attempts: u64,
    pub(super) is_blind: bool,
    pub(super) inference: Option<InferenceObject<'a>>,
    pub(super) evidence_strength: Option<&'static str>,
    pub(super) flagged_by_strength: BTreeMap<&'static str, u64>,
    pub(super) policies: Vec<PolicyJson<'a>>,
}

/// `kind:"left_out"`
#[derive(Serialize, JsonSchema)]
pub(in crate::outputs) struct LeftOutLine<'a> {
    #[schemars(extend("const" = "left_out"))]
    pub(super) kind: &'static str,
    pub(super) time: Option<String>,
    pub(super) node: &'a str,
    pub(super) lines: u64,
    pub(super) by_cause: &'a BTreeMap<&'static str, u64>,
}

/// `kind:"interval"`
#[derive(Serialize, JsonSchema)]
pub(in crate::outputs) struct IntervalLine<'a> {
    #[schemars(extend("const" = "interval"))]
    pub(super) kind: &'static str,
    pub(super) time: Option<String>,
    pub(super) node: &'a str,
    pub(super) seconds: f64,
    pub(super) attempts: u64,
    pub(super) translated: u64,
    pub(super) retransmitted_attempts: u64,
    pub(super) flagged_attempts: u64,
    pub(super) retransmits: u64,
    pub(super) flagged_retransmits: u64,
    pub(super) retransmits_by_cause: BTreeMap<&'static str, u64>,
    pub(super) flagged_retransmits_by_strength: BTreeMap<&'static str, u64>,
    pub(super) lost: u64,
    pub(super) open_attempts: u64,
    pub(super) is_blind: bool,
}

/// Of the address families of which something can be said.
#[derive(Serialize, JsonSchema)]
pub(super) struct InferenceObject<'a> {
    pub(super) ipv4: Option<Inference<'a>>,
    pub(super) ipv6: Option<Inference<'a>>,
}

impl<'a> From<&'a Capture> for CaptureLine<'a> {
    fn from(capture: &'a Capture) -> Self {
        let hooks = capture.hooks.iter().map(|hook| HookField { hook: &hook.stem, off: hook.off.as_deref() });
        Self {
            kind: "capture",
            time: None,
            version: &capture.version,
            node: &capture.node,
            kernel: &capture.kernel,
            allowed: &capture.policy.v4,
            allowed6: &capture.policy.v6,
            allowed_from: capture.policy.origin.name(),
            hooks: hooks.collect(),
        }
    }
}

impl<'a> From<&Finding<'a>> for RetransmitLine<'a> {
    fn from(finding: &Finding<'a>) -> Self {
        let attempt = finding.attempt;
        let (original, translated) = (attempt.original, attempt.translated);
        let owner = finding.owner;
        Self {
            kind: if finding.is_over { "ended" } else { "retransmit" },
            time: None,
            node: &finding.capture.node,
            flagged: finding.judgement.flagged,
            cause: finding.judgement.cause,
            src: original.map(|flow| flow.src_addr()),
            src_port: original.map(|flow| flow.src_port),
            dst: original.map(|flow| flow.dst_addr()),
            dst_port: original.map(|flow| flow.dst_port),
            nat_src: translated.map(|flow| flow.src_addr()),
            nat_port: translated.map(|flow| flow.src_port),
            nat_dst: translated.map(|flow| flow.dst_addr()),
            nat_dst_port: translated.map(|flow| flow.dst_port),
            allowed: finding.allowed,
            retransmits: finding.ordinal,
            outcome: attempt.outcome.name(),
            nat_mode: NatMode::from(attempt.range).name(),
            selections: attempt.selections,
            isn: attempt.isn,
            netns: attempt.socket_netns,
            nat_netns: attempt.nat_netns,
            pod: owner.and_then(|owner| owner.pod.as_deref()),
            namespace: owner.and_then(|owner| owner.namespace.as_deref()),
            container: owner.and_then(|owner| owner.container.as_deref()),
            process: attempt.process.as_ref().map(|of| ProcessObject { pid: of.pid, command: of.command() }),
            explanation: finding.diagnosis.map(|diagnosis| diagnosis.explanation.as_str()),
            advice: finding.diagnosis.map(|diagnosis| diagnosis.advice),
            evidence: finding.diagnosis.map_or(&[], |diagnosis| &diagnosis.evidence),
            evidence_strength: finding.judgement.strength.map(Strength::name),
        }
    }
}

impl<'a> From<&'a Summary> for SummaryLine<'a> {
    fn from(summary: &'a Summary) -> Self {
        Self {
            kind: "summary",
            time: None,
            node: None,
            attempts: summary.attempts,
            translated: summary.translated,
            retransmitted_attempts: summary.retransmitted_attempts,
            flagged_attempts: summary.flagged_attempts,
            flagged_retransmits: summary.flagged_retransmits,
            by_cause: summary.by_cause.iter().map(|(&cause, counts)| (cause, counts.attempts)).collect(),
            failed_by_cause: &summary.failed_by_cause,
            lost: summary.lost_total(),
            lost_by_kind: summary.lost_by_kind().map(|(kind, count)| (kind.name(), count)).collect(),
            skipped: summary.skipped(),
            evicted: summary.evicted,
            unseen_attempts: summary.unseen,
            gave_up_attempts: summary.infer.gave_up(),
            is_blind: summary.is_blind(),
            inference: None,
            evidence_strength: summary.strength().map(Strength::name),
            flagged_by_strength: summary.by_strength.iter().map(|(of, &count)| (of.name(), count)).collect(),
            policies: Vec::new(),
        }
    }
}

impl<'a> InferenceObject<'a> {
    pub(super) fn of(conclusions: &'a [Conclusion]) -> Option<Self> {
        let of = |is_ipv4| {
            // Where a filter changed, that of the last period; of several uplinks, the one with most attempts.
            let is_last = |of: &&Conclusion| of.is_ipv4 == is_ipv4 && of.period.until.is_none() && of.says_something();
            conclusions.iter().filter(is_last).max_by_key(|of| of.used.total()).map(Inference::from)
        };
        let (ipv4, ipv6) = (of(true), of(false));
        (ipv4.is_some() || ipv6.is_some()).then_some(Self { ipv4, ipv6 })
    }
}
