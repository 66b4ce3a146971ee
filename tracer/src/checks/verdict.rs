//! All reports in one sentence, with the evidence for it and the best thing to do.

use schemars::JsonSchema;
use serde::Serialize;

use super::{CheckReport, Facts, Fix, Level};
use crate::infer::{Class, DROPPED_BEFORE, Verdict};
use crate::model::{Origin, PortSet, plural};

/// What it comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DoctorOutcome {
    /// Connections fail by their translated port right now: the conntrack table shows it.
    Failing,
    /// Connections will fail, if the filter is as it was said.
    WillFail,
    /// Connections may fail: the range that the filter accepts is only assumed, or only some of the evidence is there.
    MayFail,
    /// Whether they will cannot be said: rules could not be read.
    Unknown,
    /// No rule lets connections leave outside the allowed ports.
    Ok,
}

impl DoctorOutcome {
    /// The word for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Failing => "failing now",
            Self::WillFail => "will fail",
            Self::MayFail => "may fail",
            Self::Unknown => "unknown",
            Self::Ok => "ok",
        }
    }
}

/// The verdict.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct DoctorVerdict {
    /// What it comes to.
    pub outcome: DoctorOutcome,
    /// In one sentence.
    pub text: String,
    /// What that rests on.
    pub evidence: Vec<String>,
    /// The best thing to do.
    pub fix: Option<Fix>,
}

/// The verdict of these reports.
pub fn verdict(facts: &Facts, reports: &[CheckReport]) -> DoctorVerdict {
    let of =
        |id: &'static str, level: Level| reports.iter().filter(move |report| report.id == id && report.level == level);
    let rule = of("nat_rule", Level::Problem)
        .chain(of("bpf_nat", Level::Problem))
        .chain(of("nat_rule", Level::Warn))
        .chain(of("bpf_nat", Level::Warn))
        .next();
    let seen = of("seen_now", Level::Problem).chain(of("seen_now", Level::Warn)).next();
    let other = reports
        .iter()
        .filter(|report| !["nat_rule", "bpf_nat", "seen_now"].contains(&report.id))
        .find(|report| report.level == Level::Problem);
    let allowed = &facts.policy.v4;
    let is_failing = facts.classes().next().is_some();
    let (outcome, text) = match (rule, seen, other) {
        (_, Some(_), _) if is_failing => (
            DoctorOutcome::Failing,
            format!("connections are failing now, by their translated port: {}", failing(facts)),
        ),
        (_, _, Some(report)) => (DoctorOutcome::Failing, report.summary.clone()),
        (Some(report), _, None) if report.level == Level::Problem => (
            DoctorOutcome::WillFail,
            format!("a NAT rule chooses ports outside {allowed}, on which the filter accepts no return traffic"),
        ),
        (Some(_), _, None) if facts.policy.origin == Origin::Default => (
            DoctorOutcome::MayFail,
            format!(
                "a NAT rule chooses ports outside {allowed}; whether a filter drops their return traffic is not known: name the ports that it accepts with --allow"
            ),
        ),
        (Some(_), _, None) => (DoctorOutcome::MayFail, format!("a NAT rule may choose ports outside {allowed}")),
        (None, Some(_), None) => (DoctorOutcome::MayFail, unproven(facts).to_owned()),
        (None, None, None) if facts.rules.is_blind() => {
            (DoctorOutcome::Unknown, "rules could not be read, so translated ports are unknown".to_owned())
        }
        (None, None, None) => (DoctorOutcome::Ok, format!("no rule here lets connections leave outside {allowed}")),
    };
    let evidence = seen.into_iter().chain(rule).map(first).collect();
    let fix = rule.and_then(|report| report.fixes.first()).or_else(|| other.and_then(|report| report.fixes.first()));
    let provider = || reports.iter().filter(|report| report.id == "filter").find_map(|report| report.fixes.first());
    let wants_fix = !matches!(outcome, DoctorOutcome::Ok | DoctorOutcome::Unknown);
    DoctorVerdict { outcome, text, evidence, fix: fix.or_else(provider).filter(|_| wants_fix).cloned() }
}

/// Which ports, as short as can be.
fn failing(facts: &Facts) -> String {
    let range = |class: &Class| {
        let range = class.likely.as_ref().map_or_else(|| format!("about {}", class.split), PortSet::to_string);
        let for_some =
            |count| format!("{range} only, for {}; others answer on all ports", plural(count as u64, "destination"));
        if class.passing.count == 0 { format!("{range} only") } else { for_some(class.supporting_count) }
    };
    let ranges = facts.classes().map(range).collect::<Vec<_>>().join("; IPv6 on ");
    let drops = facts.untracked_drops();
    let who = match &drops[..] {
        [] => DROPPED_BEFORE.to_owned(),
        [drop, others @ ..] => {
            let more =
                if others.is_empty() { String::new() } else { format!(" ({} more: see seen_now)", others.len()) };
            format!("a filter on the path drops the rest, or this node does, perhaps by {drop}{more}")
        }
    };
    format!("return traffic reaches conntrack on {ranges}; {who}")
}

/// What a table shows that proves no filter, by the verdict of the first conclusion that shows anything.
fn unproven(facts: &Facts) -> &'static str {
    let shown = facts.conclusions().find_map(|conclusion| match &conclusion.verdict {
        Verdict::OneDestination(_) => Some(
            "unanswered connections depend on their translated port, but most of the evidence comes from one destination",
        ),
        Verdict::Class(_) if conclusion.doubt.is_some() => {
            Some("unanswered connections differ by their translated port, but something else explains that too")
        }
        Verdict::Class(_) => Some(
            "connections from some translated ports go unanswered more often than from others, but not always, which no filter of ports does",
        ),
        Verdict::NoClass { .. } | Verdict::TooFew { .. } => None,
    });
    shown.unwrap_or("unanswered connections may depend on their translated port")
}

/// The summary, and where a rule is.
fn first(report: &CheckReport) -> String {
    match &report.rule {
        Some(rule) => {
            let at = rule.handle.map_or_else(|| format!("number {}", rule.number), |handle| format!("handle {handle}"));
            format!("{} (chain {} of {} {}, {at})", report.summary, rule.chain, rule.family, rule.table)
        }
        None => report.summary.clone(),
    }
}
