//! What was inferred about ports: paragraphs for people, an object for JSON. docs/json.md has its fields.

use std::io::{self, Write};

use schemars::JsonSchema;
use serde::Serialize;

use super::json_line::write_line;
use super::policies::{PolicyLine, sentences};
use super::text::paragraph;
use crate::conntrack::EntryCounts;
use crate::infer::{Conclusion, Edge, Passes, Refusals, SupportingDestination, Verdict};
use crate::model::{Answers, PortSet};
use crate::summary::Summary;

/// One address family.
#[derive(Default, Serialize, JsonSchema)]
pub(super) struct Inference<'a> {
    verdict: &'static str,
    node: Option<&'a str>,
    netns: Option<u32>,
    ifindex: Option<u32>,
    from: Option<&'a str>,
    until: Option<&'a str>,
    text: String,
    attempts: u64,
    unanswered: u64,
    destinations: usize,
    silent_attempts: u64,
    silent_destinations: u64,
    changed_port_attempts: u64,
    gave_up_attempts: u64,
    refused_attempts: u64,
    shared_attempts: u64,
    passes: Option<Vec<Range>>,
    likely: Option<&'a PortSet>,
    undecided: Option<&'a PortSet>,
    counted: Option<&'a PortSet>,
    inside: Option<CountsObject>,
    outside: Option<CountsObject>,
    p_below_1e: Option<i64>,
    carrying_destinations: Option<usize>,
    carriers: Option<Vec<SupportingObject>>,
    passing_destinations: Option<usize>,
    passing_outside: Option<CountsObject>,
    passing: Option<Vec<SupportingObject>>,
    visible_share: Option<f64>,
    attempts_needed: Option<u64>,
    refused: Option<RefusedObject<'a>>,
    own_sockets: bool,
}

/// Ports from which connections are refused, while the same destinations accept others.
#[derive(Serialize, JsonSchema)]
struct RefusedObject<'a> {
    accepted: &'a PortSet,
    inside: CountsObject,
    outside: CountsObject,
    p_below_1e: i64,
    destinations: usize,
    text: String,
}

/// A range that passes, with the bracket of each edge.
#[derive(Serialize, JsonSchema)]
struct Range {
    low: Bracket,
    high: Bracket,
}

#[derive(Serialize, JsonSchema)]
struct Bracket {
    from: u16,
    to: u16,
    measured: bool,
}

#[derive(Serialize, JsonSchema)]
struct CountsObject {
    answered: u64,
    unanswered: u64,
}

#[derive(Serialize, JsonSchema)]
struct SupportingObject {
    destination: String,
    inside: CountsObject,
    outside: CountsObject,
}

/// `kind:"inference"`
#[derive(Serialize, JsonSchema)]
pub(super) struct InferenceLine<'a> {
    #[schemars(extend("const" = "inference"))]
    kind: &'static str,
    family: &'static str,
    #[serde(flatten)]
    inference: Inference<'a>,
}

impl<'a> From<&'a Conclusion> for Inference<'a> {
    fn from(conclusion: &'a Conclusion) -> Self {
        let uplink = conclusion.uplink.as_ref();
        let all = Self {
            verdict: conclusion.verdict_name(),
            node: uplink.and_then(|uplink| uplink.node.as_deref()),
            netns: uplink.and_then(|uplink| uplink.netns),
            ifindex: uplink.map(|uplink| uplink.ifindex),
            from: conclusion.period.from.as_deref(),
            until: conclusion.period.until.as_deref(),
            text: conclusion.to_string(),
            attempts: conclusion.used.total(),
            unanswered: conclusion.used.unanswered,
            destinations: conclusion.destinations,
            silent_attempts: conclusion.left_out.silent,
            silent_destinations: conclusion.left_out.silent_destinations,
            changed_port_attempts: conclusion.left_out.changed_port,
            gave_up_attempts: conclusion.left_out.gave_up,
            refused_attempts: conclusion.left_out.refused,
            shared_attempts: conclusion.left_out.shared,
            refused: conclusion.refusals.as_ref().map(RefusedObject::from),
            own_sockets: conclusion.is_of_sockets,
            ..Self::default()
        };
        match &conclusion.verdict {
            Verdict::Class(class) | Verdict::OneDestination(class) => Self {
                passes: Some(class.passes.iter().map(Range::from).collect()),
                likely: class.likely.as_ref(),
                undecided: Some(&class.undecided).filter(|ports| !ports.is_empty()),
                counted: Some(&class.split),
                inside: Some(class.inside.into()),
                outside: Some(class.outside.into()),
                p_below_1e: Some(-i64::from(class.p_below)),
                carrying_destinations: Some(class.supporting_count),
                carriers: Some(class.supporting.iter().map(SupportingObject::from).collect()),
                passing_destinations: Some(class.passing.count),
                passing_outside: Some(class.passing.outside.into()),
                passing: Some(class.passing.named.iter().map(SupportingObject::from).collect()),
                ..all
            },
            // Three digits; the estimate has no more.
            Verdict::NoClass { visible_share } => {
                Self { visible_share: Some((visible_share * 1000.0).round() / 1000.0), ..all }
            }
            Verdict::TooFew { more, suspected: _ } => Self { attempts_needed: Some(*more), ..all },
        }
    }
}

impl<'a> From<&'a Refusals> for RefusedObject<'a> {
    fn from(refusals: &'a Refusals) -> Self {
        let Refusals(class) = refusals;
        Self {
            accepted: &class.split,
            inside: class.inside.into(),
            outside: class.outside.into(),
            p_below_1e: -i64::from(class.p_below),
            destinations: class.supporting_count,
            text: refusals.to_string(),
        }
    }
}

impl From<&Passes> for Range {
    fn from(range: &Passes) -> Self {
        Self { low: range.low.into(), high: range.high.into() }
    }
}

impl From<Edge> for Bracket {
    fn from(edge: Edge) -> Self {
        Self { from: edge.from, to: edge.to, measured: edge.is_measured }
    }
}

impl From<Answers> for CountsObject {
    fn from(Answers { answered, unanswered }: Answers) -> Self {
        Self { answered, unanswered }
    }
}

impl From<&SupportingDestination> for SupportingObject {
    fn from(supporting: &SupportingDestination) -> Self {
        Self {
            destination: supporting.destination.to_string(),
            inside: supporting.inside.into(),
            outside: supporting.outside.into(),
        }
    }
}

/// How conclusions are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConclusionFormat {
    Json,
    /// For a terminal of so many columns, if there is one.
    Text(Option<usize>),
}

/// Writes conclusions as `snatrace infer` shows them: one line of JSON, or a paragraph and who carries it. Then what the evidence
/// says about the recorded policies.
pub fn write(summary: &Summary, format: ConclusionFormat, out: Box<dyn Write>) -> io::Result<()> {
    let (mut out, conclusions) = (io::BufWriter::new(out), summary.conclusions());
    write_conclusions(&conclusions, format, &mut out)?;
    match format {
        ConclusionFormat::Json => {
            for policy in &summary.policies {
                write_line(&mut out, &PolicyLine::new(policy, &conclusions))?;
            }
        }
        ConclusionFormat::Text(terminal) => {
            if conclusions.is_empty() {
                let none = "no attempt with a known translated port was answered or retransmitted: nothing to conclude";
                out.write_all(paragraph(terminal, none).as_bytes())?;
            }
            for sentence in sentences(&summary.policies, &conclusions) {
                out.write_all(paragraph(terminal, &sentence).as_bytes())?;
            }
        }
    }
    out.flush()
}

/// Writes what a conntrack table shows: conclusions as of traces, then how many entries of each kind there were.
pub fn write_table(
    conclusions: &[Conclusion],
    counts: &EntryCounts,
    format: ConclusionFormat,
    out: impl Write,
) -> io::Result<()> {
    let mut out = io::BufWriter::new(out);
    write_conclusions(conclusions, format, &mut out)?;
    match format {
        ConclusionFormat::Json => write_line(&mut out, &CountsLine { kind: "conntrack", counts })?,
        ConclusionFormat::Text(terminal) => {
            if conclusions.is_empty() {
                let none = "no translated connection has been answered or has waited long enough: nothing to conclude";
                out.write_all(paragraph(terminal, none).as_bytes())?;
            }
            out.write_all(paragraph(terminal, &counts.to_string()).as_bytes())?;
        }
    }
    out.flush()
}

pub(super) fn write_conclusions(
    conclusions: &[Conclusion],
    format: ConclusionFormat,
    out: &mut impl Write,
) -> io::Result<()> {
    for conclusion in conclusions {
        match format {
            ConclusionFormat::Json => {
                let (family, inference) = (conclusion.family_name(), conclusion.into());
                write_line(out, &InferenceLine { kind: "inference", family, inference })?;
            }
            ConclusionFormat::Text(terminal) => {
                out.write_all(paragraph(terminal, &conclusion.to_string()).as_bytes())?;
                for destination in conclusion.supporting() {
                    out.write_all(paragraph(terminal, &format!("  {destination}")).as_bytes())?;
                }
            }
        }
    }
    Ok(())
}

/// `kind:"conntrack"`
#[derive(Serialize, JsonSchema)]
pub(super) struct CountsLine<'a> {
    #[schemars(extend("const" = "conntrack"))]
    kind: &'static str,
    #[serde(flatten)]
    counts: &'a EntryCounts,
}
