//! The counts of a report as one line of JSON. docs/json.md has its fields.

use std::hash::Hash;
use std::io::{self, Write};

use schemars::JsonSchema;
use serde::Serialize;

use super::{Report, inside_and_outside};
use crate::model::PortSet;
use crate::outputs::json_line::write_line;
use crate::tally::{Counts, PortAnswers, Top};

/// The worst so many have a row of their own.
const MAX_ROWS: usize = 1000;

/// `kind:"report"`
#[derive(Serialize, JsonSchema)]
pub struct ReportLine {
    #[schemars(extend("const" = "report"))]
    kind: &'static str,
    files: Vec<String>,
    from: Option<String>,
    until: Option<String>,
    #[serde(flatten)]
    all: CountsObject,
    ports: PortsObject,
    causes: Vec<Row>,
    destinations: Table,
    sources: Table,
    namespaces: Table,
    pods: Table,
    containers: Table,
    processes: Table,
    nodes: Vec<Row>,
    modes: Vec<Row>,
}

#[derive(Serialize, JsonSchema)]
struct CountsObject {
    attempts: u64,
    answered: u64,
    unanswered: u64,
    flagged: u64,
    retransmits: u64,
}

#[derive(Serialize, JsonSchema)]
struct Row {
    name: String,
    #[serde(flatten)]
    counts: CountsObject,
}

#[derive(Serialize, JsonSchema)]
struct Table {
    rows: Vec<Row>,
    /// How many further rows there are, and what they add up to.
    others: u64,
    rest: CountsObject,
    /// Nothing was too much to be counted separately.
    is_exact: bool,
}

#[derive(Serialize, JsonSchema)]
struct PortsObject {
    ipv4: Option<FamilyObject>,
    ipv6: Option<FamilyObject>,
}

/// Attempts by translated port; null where captures were judged by different policies.
#[derive(Serialize, JsonSchema)]
struct FamilyObject {
    allowed: Option<PortSet>,
    inside: Option<AnswersObject>,
    outside: Option<AnswersObject>,
}

#[derive(Serialize, JsonSchema)]
struct AnswersObject {
    answered: u64,
    unanswered: u64,
}

/// Writes the line.
pub fn write(report: &Report<'_>, out: &mut impl Write) -> io::Result<()> {
    write_line(out, &ReportLine::new(report))
}

impl ReportLine {
    fn new(report: &Report<'_>) -> Self {
        let (tally, clock) = (report.tally, report.clock());
        let time = |unix_ns: Option<i128>| unix_ns.and_then(|unix_ns| clock.rfc3339_of_unix(unix_ns));
        let nodes = report.captures.iter().zip(&tally.nodes);
        Self {
            kind: "report",
            files: report.files.to_vec(),
            from: time(tally.first_unix_ns),
            until: time(tally.last_unix_ns),
            all: tally.all.into(),
            ports: PortsObject {
                ipv4: family(&tally.ports_v4, report.allowed(true)),
                ipv6: family(&tally.ports_v6, report.allowed(false)),
            },
            causes: report.summary.by_cause.iter().map(|(cause, counts)| row(*cause, *counts)).collect(),
            destinations: table(&tally.destinations, ToString::to_string),
            sources: table(&tally.sources, ToString::to_string),
            namespaces: table(&tally.namespaces, ToString::to_string),
            pods: table(&tally.pods, |(namespace, pod)| format!("{namespace}/{pod}")),
            containers: table(&tally.containers, ToString::to_string),
            processes: table(&tally.processes, ToString::to_string),
            nodes: nodes.map(|(capture, counts)| row(capture.node.as_str(), *counts)).collect(),
            modes: tally.modes.iter().map(|(mode, counts)| row(mode.name(), *counts)).collect(),
        }
    }
}

fn row(name: impl Into<String>, counts: Counts) -> Row {
    Row { name: name.into(), counts: counts.into() }
}

fn table<K: Clone + Eq + Hash + Ord>(top: &Top<K>, name: fn(&K) -> String) -> Table {
    let ranking = top.ranking(MAX_ROWS);
    let rows = ranking.worst.iter().map(|(key, counts)| row(name(key), *counts)).collect();
    Table { rows, others: ranking.others, rest: ranking.rest.into(), is_exact: ranking.is_exact }
}

/// Nothing of a family without attempts.
fn family(ports: &PortAnswers, allowed: Option<&PortSet>) -> Option<FamilyObject> {
    if ports.is_empty() {
        return None;
    }
    let sides = allowed.map(|allowed| inside_and_outside(ports, allowed));
    let object = |(answered, unanswered)| AnswersObject { answered, unanswered };
    Some(FamilyObject {
        allowed: allowed.cloned(),
        inside: sides.map(|[inside, _]| object(inside)),
        outside: sides.map(|[_, outside]| object(outside)),
    })
}

impl From<Counts> for CountsObject {
    fn from(counts: Counts) -> Self {
        let Counts { attempts, answered, unanswered, flagged, retransmits } = counts;
        Self { attempts, answered, unanswered, flagged, retransmits }
    }
}
