//! What the evidence says about the policy of a node: sentences for people, an object for JSON. docs/json.md has its fields.

use schemars::JsonSchema;
use serde::Serialize;

use crate::infer::Conclusion;
use crate::model::{Answers, Assessment, PolicyEvidence, PortSet, Reason, SideEvidence, UplinkName};
use crate::outputs::escape::Escaped;

/// One node and address family.
#[derive(Serialize, JsonSchema)]
pub(super) struct PolicyJson<'a> {
    node: &'a str,
    family: &'static str,
    netns: Option<u32>,
    ifindex: Option<u32>,
    from: Option<&'a str>,
    until: Option<&'a str>,
    allowed: &'a PortSet,
    allowed_from: &'static str,
    evidence_strength: &'static str,
    sides: Vec<SideCounts>,
    not_passed: Option<PortSet>,
    own_sockets: bool,
}

/// One side of the policy.
#[derive(Serialize, JsonSchema)]
struct SideCounts {
    ports: String,
    evidence_strength: &'static str,
    inside: PolicyCounts,
    outside: PolicyCounts,
    filtered_destinations: u32,
    passing_destinations: u32,
    p_below_1e: Option<i64>,
    text: String,
    destinations: &'static str,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct PolicyCounts {
    answered: u64,
    unanswered: u64,
}

/// `kind:"policy"`
#[derive(Serialize, JsonSchema)]
pub(super) struct PolicyLine<'a> {
    #[schemars(extend("const" = "policy"))]
    kind: &'static str,
    #[serde(flatten)]
    policy: PolicyJson<'a>,
}

impl<'a> PolicyLine<'a> {
    pub(super) fn new(evidence: &'a PolicyEvidence, conclusions: &[Conclusion]) -> Self {
        Self { kind: "policy", policy: PolicyJson::new(evidence, conclusions) }
    }
}

impl<'a> PolicyJson<'a> {
    pub(super) fn new(evidence: &'a PolicyEvidence, conclusions: &[Conclusion]) -> Self {
        let sides = evidence.sides.iter().zip(evidence.sentences());
        Self {
            node: &evidence.node,
            family: evidence.family_name(),
            netns: evidence.netns,
            ifindex: (evidence.ifindex != 0).then_some(evidence.ifindex),
            from: evidence.period.from.as_deref(),
            until: evidence.period.until.as_deref(),
            allowed: &evidence.allowed,
            allowed_from: evidence.origin.name(),
            evidence_strength: evidence.strength().name(),
            sides: sides.map(|(side, text)| SideCounts::new(side, &evidence.allowed, text)).collect(),
            not_passed: not_passed(evidence, conclusions),
            own_sockets: evidence.is_of_sockets,
        }
    }
}

impl SideCounts {
    fn new(side: &SideEvidence, allowed: &PortSet, text: String) -> Self {
        let SideEvidence { assessment: Assessment { reason, scope, side, inside, outside, .. }, filtered, passing } =
            *side;
        // Only this reason has one.
        let p_below_1e = if let Reason::SidesDiffer { p_below } = reason { Some(-i64::from(p_below)) } else { None };
        Self {
            ports: side.ports(allowed),
            evidence_strength: reason.strength().name(),
            inside: inside.into(),
            outside: outside.into(),
            filtered_destinations: filtered,
            passing_destinations: passing,
            p_below_1e,
            text,
            destinations: scope.kind().unwrap_or("all"),
        }
    }
}

impl From<Answers> for PolicyCounts {
    fn from(answers: Answers) -> Self {
        Self { answered: answers.answered, unanswered: answers.unanswered }
    }
}

/// A sentence for each node, address family, uplink and side, and one where the path does not pass what is allowed; several nodes,
/// and several uplinks of a node, are named.
pub(crate) fn sentences(policies: &[PolicyEvidence], conclusions: &[Conclusion]) -> Vec<String> {
    let several_nodes = policies.iter().any(|policy| policy.node != policies[0].node);
    let of = |policy: &PolicyEvidence| {
        let key = |policy: &PolicyEvidence| {
            (policy.node.clone(), policy.is_ipv4, policy.is_of_sockets, policy.period.clone())
        };
        let is_sibling = |other: &PolicyEvidence| key(other) == key(policy);
        let siblings: Vec<_> = policies.iter().filter(|other| is_sibling(other)).collect();
        let node = if several_nodes { format!("{}: ", Escaped(&policy.node)) } else { String::new() };
        let is_ambiguous = siblings.iter().filter(|other| other.ifindex == policy.ifindex).count() > 1;
        let netns = policy.netns.filter(|_| is_ambiguous);
        let uplink = UplinkName { node: None, netns, ifindex: policy.ifindex, name: policy.interface };
        let uplink = if siblings.len() > 1 { format!("by {uplink}, ") } else { String::new() };
        // What is inferred for all uplinks is said once.
        let is_last = siblings.last().is_some_and(|last| std::ptr::eq(*last, policy));
        let conclusion = conclusion_of(policy, conclusions);
        let is_of_all = conclusion.is_some_and(|conclusion| conclusion.uplink.is_none());
        let is_for_all = conclusion.and_then(Conclusion::class).is_none_or(|class| class.passing.count == 0);
        let too_wide = not_passed(policy, conclusions).filter(|_| is_last || !is_of_all);
        let by = if is_of_all { String::new() } else { uplink.clone() };
        let too_wide = too_wide.map(|ports| format!("{by}{}", policy.too_wide(&ports, is_for_all)));
        let sides = policy.sentences().into_iter().map(move |sentence| format!("{uplink}{sentence}"));
        sides.chain(too_wide).map(move |sentence| format!("{node}{sentence}")).collect::<Vec<_>>()
    };
    policies.iter().flat_map(of).collect()
}

/// Ports that are allowed, and that the path does not pass by what is inferred.
pub(crate) fn not_passed(policy: &PolicyEvidence, conclusions: &[Conclusion]) -> Option<PortSet> {
    let ports = conclusion_of(policy, conclusions)?.denied()?.and(&policy.allowed);
    (!ports.is_empty()).then_some(ports)
}

/// What is inferred for the uplink of a policy, or for all.
fn conclusion_of<'a>(policy: &PolicyEvidence, conclusions: &'a [Conclusion]) -> Option<&'a Conclusion> {
    let is_it = |uplink: &UplinkName| {
        uplink.ifindex == policy.ifindex
            && uplink.netns.is_none_or(|netns| policy.netns.unwrap_or_default() == netns)
            && uplink.node.as_ref().is_none_or(|node| *node == policy.node)
    };
    let is_of = |conclusion: &&Conclusion| {
        (conclusion.is_ipv4, conclusion.is_of_sockets) == (policy.is_ipv4, policy.is_of_sockets)
            && conclusion.period == policy.period
    };
    conclusions.iter().filter(is_of).find(|conclusion| conclusion.uplink.as_ref().is_none_or(is_it))
}
