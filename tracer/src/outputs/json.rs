//! JSON, one object per line: a capture line for each node, retransmit lines, a summary line. docs/json.md has the fields.
//!
//! Field names are a promise: add, never rename. What is unknown is null. The bytes are ASCII, so a name cannot steer a
//! terminal that shows them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::net::IpAddr;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;

use super::bounded::{Interval, LeftOut};
use super::inference::Inference;
use super::json_line::write_line;
use super::policies::PolicyJson;
use super::{Format, Output, Sink, View};
use crate::infer::Conclusion;
use crate::model::{Capture, Clock, Finding, NatMode, PortSet, Strength};
use crate::summary::Summary;

pub(super) const FORMAT: Format =
    Format { name: "json", about: "one JSON object per line", open: |view, out| Box::new(Json::new(view, out)) };

/// `kind:"capture"`
#[derive(Serialize, JsonSchema)]
struct CaptureLine<'a> {
    #[schemars(extend("const" = "capture"))]
    kind: &'static str,
    time: Option<String>,
    version: &'a str,
    node: &'a str,
    kernel: &'a str,
    allowed: &'a PortSet,
    allowed6: &'a PortSet,
    allowed_from: &'static str,
    hooks: Vec<HookField<'a>>,
}

#[derive(Serialize, JsonSchema)]
struct HookField<'a> {
    hook: &'a str,
    off: Option<&'a str>,
}

/// `kind:"retransmit"`, and with the same fields `kind:"ended"`
#[derive(Serialize, JsonSchema)]
struct RetransmitLine<'a> {
    #[schemars(extend("enum" = ["retransmit", "ended"]))]
    kind: &'static str,
    time: Option<&'a str>,
    node: &'a str,
    flagged: bool,
    cause: Option<&'static str>,
    src: Option<IpAddr>,
    src_port: Option<u16>,
    dst: Option<IpAddr>,
    dst_port: Option<u16>,
    nat_src: Option<IpAddr>,
    nat_port: Option<u16>,
    nat_dst: Option<IpAddr>,
    nat_dst_port: Option<u16>,
    allowed: &'a PortSet,
    retransmits: u32,
    outcome: &'static str,
    nat_mode: &'static str,
    selections: u32,
    isn: u32,
    netns: Option<u32>,
    nat_netns: Option<u32>,
    pod: Option<&'a str>,
    namespace: Option<&'a str>,
    container: Option<&'a str>,
    explanation: Option<&'a str>,
    advice: Option<&'static str>,
    evidence: &'a [String],
    evidence_strength: Option<&'static str>,
}

/// `kind:"summary"`
#[derive(Serialize, JsonSchema)]
struct SummaryLine<'a> {
    #[schemars(extend("const" = "summary"))]
    kind: &'static str,
    time: Option<String>,
    node: Option<&'a str>,
    attempts: u64,
    translated: u64,
    retransmitted_attempts: u64,
    flagged_attempts: u64,
    flagged_retransmits: u64,
    by_cause: BTreeMap<&'static str, u64>,
    failed_by_cause: &'a BTreeMap<&'static str, u64>,
    lost: u64,
    lost_by_kind: BTreeMap<&'static str, u64>,
    skipped: u64,
    evicted: u64,
    unseen_attempts: u64,
    is_blind: bool,
    inference: Option<InferenceObject<'a>>,
    evidence_strength: Option<&'static str>,
    flagged_by_strength: BTreeMap<&'static str, u64>,
    policies: Vec<PolicyJson<'a>>,
}

/// `kind:"left_out"`
#[derive(Serialize, JsonSchema)]
struct LeftOutLine<'a> {
    #[schemars(extend("const" = "left_out"))]
    kind: &'static str,
    time: Option<String>,
    node: &'a str,
    lines: u64,
    by_cause: &'a BTreeMap<&'static str, u64>,
}

/// `kind:"interval"`
#[derive(Serialize, JsonSchema)]
struct IntervalLine<'a> {
    #[schemars(extend("const" = "interval"))]
    kind: &'static str,
    time: Option<String>,
    node: &'a str,
    seconds: f64,
    attempts: u64,
    translated: u64,
    retransmitted_attempts: u64,
    flagged_attempts: u64,
    retransmits: u64,
    flagged_retransmits: u64,
    retransmits_by_cause: BTreeMap<&'static str, u64>,
    flagged_retransmits_by_strength: BTreeMap<&'static str, u64>,
    lost: u64,
    open_attempts: u64,
    is_blind: bool,
}

/// Of the address families of which something can be said.
#[derive(Serialize, JsonSchema)]
struct InferenceObject<'a> {
    ipv4: Option<Inference<'a>>,
    ipv6: Option<Inference<'a>>,
}

/// The schemas of its lines.
pub(super) fn schemas(generator: &mut SchemaGenerator) -> [Schema; 5] {
    [
        generator.subschema_for::<CaptureLine<'_>>(),
        generator.subschema_for::<RetransmitLine<'_>>(),
        generator.subschema_for::<SummaryLine<'_>>(),
        generator.subschema_for::<LeftOutLine<'_>>(),
        generator.subschema_for::<IntervalLine<'_>>(),
    ]
}

struct Json {
    out: Sink,
    /// Reused, so that a line costs no allocation.
    time: String,
    utc: bool,
    clock: Clock,
    /// Of the capture; `None` where there are several.
    node: Option<String>,
    /// Causes whose advice was written.
    advised: BTreeSet<&'static str>,
}

impl Json {
    fn new(view: &View, out: Sink) -> Self {
        let (time, clock) = (String::with_capacity(40), Clock::new(&[], view.utc));
        Self { out, time, utc: view.utc, clock, node: None, advised: BTreeSet::new() }
    }
}

impl Json {
    fn time(&self, capture: &Capture, time_ns: u64) -> Option<String> {
        self.clock.rfc3339_of_unix(Clock::unix_ns(capture, time_ns))
    }

    fn attempt(&mut self, kind: &'static str, finding: &Finding<'_>) -> io::Result<()> {
        self.time.clear();
        let known = self.clock.rfc3339(finding.capture, finding.time_ns, &mut self.time);
        let time = known.then_some(self.time.as_str());
        let line = RetransmitLine { kind, time, ..RetransmitLine::from(finding) };
        // The same on every line of a cause: the first one has it.
        let is_new = line.cause.is_some_and(|cause| self.advised.insert(cause));
        write_line(&mut self.out, &RetransmitLine { advice: line.advice.filter(|_| is_new), ..line })
    }
}

impl Output for Json {
    fn explains(&self, _: &Finding<'_>) -> bool {
        true
    }

    fn start(&mut self, captures: &[&Capture]) -> io::Result<()> {
        self.clock = Clock::new(captures, self.utc);
        let first = captures.first().map(|capture| capture.node.as_str());
        let is_one = captures.iter().all(|capture| first == Some(&capture.node));
        self.node = first.filter(|_| is_one).map(str::to_owned);
        captures.iter().try_for_each(|capture| {
            let time = capture.began_unix_ns().and_then(|began| self.clock.rfc3339_of_unix(began));
            write_line(&mut self.out, &CaptureLine { time, ..CaptureLine::from(*capture) })
        })
    }

    fn finding(&mut self, finding: &Finding<'_>) -> io::Result<()> {
        self.attempt("retransmit", finding)
    }

    fn ended(&mut self, finding: &Finding<'_>) -> io::Result<()> {
        self.attempt("ended", finding)
    }

    fn left_out(&mut self, capture: &Capture, time_ns: u64, left_out: &LeftOut) -> io::Result<()> {
        let LeftOut { lines, by_cause } = left_out;
        let time = self.time(capture, time_ns);
        write_line(&mut self.out, &LeftOutLine { kind: "left_out", time, node: &capture.node, lines: *lines, by_cause })
    }

    fn interval(&mut self, interval: &Interval<'_>) -> io::Result<()> {
        let Interval { moment, seconds, counts } = *interval;
        let strengths = counts.strengths().filter(|(_, count)| *count > 0);
        let line = IntervalLine {
            kind: "interval",
            time: self.time(moment.capture, moment.tick.time_ns),
            node: &moment.capture.node,
            seconds,
            attempts: counts.attempts,
            translated: counts.translated,
            retransmitted_attempts: counts.retransmitted,
            flagged_attempts: counts.flagged,
            retransmits: counts.retransmits(),
            flagged_retransmits: counts.flagged_retransmits(),
            retransmits_by_cause: counts.causes().filter(|(_, count)| *count > 0).collect(),
            flagged_retransmits_by_strength: strengths.map(|(strength, count)| (strength.name(), count)).collect(),
            lost: counts.lost_total(),
            open_attempts: moment.tick.open,
            is_blind: moment.is_blind,
        };
        write_line(&mut self.out, &line)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn finish(&mut self, summary: &Summary) -> io::Result<()> {
        let conclusions = summary.conclusions();
        let inference = InferenceObject::of(&conclusions);
        let policies = summary.policies.iter().map(|policy| PolicyJson::new(policy, &conclusions)).collect();
        let time = summary.end_unix_ns.and_then(|end| self.clock.rfc3339_of_unix(end));
        let node = self.node.as_deref();
        write_line(&mut self.out, &SummaryLine { time, node, inference, policies, ..SummaryLine::from(summary) })?;
        self.out.flush()
    }
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
            kind: "retransmit",
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
            is_blind: summary.is_blind(),
            inference: None,
            evidence_strength: summary.strength().map(Strength::name),
            flagged_by_strength: summary
                .by_strength
                .iter()
                .map(|(strength, &count)| (strength.name(), count))
                .collect(),
            policies: Vec::new(),
        }
    }
}

impl<'a> InferenceObject<'a> {
    fn of(conclusions: &'a [Conclusion]) -> Option<Self> {
        let of = |is_ipv4| {
            // Where a filter changed, that of the last period; of several uplinks, the one with most attempts.
            let is_last = |of: &&Conclusion| of.is_ipv4 == is_ipv4 && of.period.until.is_none() && of.says_something();
            conclusions.iter().filter(is_last).max_by_key(|of| of.used.total()).map(Inference::from)
        };
        let (ipv4, ipv6) = (of(true), of(false));
        (ipv4.is_some() || ipv6.is_some()).then_some(Self { ipv4, ipv6 })
    }
}

#[cfg(test)]
mod tests;
