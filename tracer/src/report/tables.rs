//! The tables of a report: the same rows and columns in text and HTML.

use std::hash::Hash;
use std::net::SocketAddr;
use std::sync::Arc;

use super::Report;
use super::numbers::{grouped, share, short};
use crate::causes::{self, Cause};
use crate::outputs::escape::Escaped;
use crate::tally::{Client, Counts, Top};

/// The worst so many have a row of their own.
const MAX_ROWS: usize = 15;
/// The worst so many are listed below a table.
const MAX_LISTED: usize = 10;

/// A column of every table.
pub(super) struct TableColumn {
    pub(super) name: &'static str,
    /// What it counts, one sentence.
    pub(super) about: &'static str,
    /// In at most ten characters.
    pub(super) short: fn(&Counts) -> String,
    /// In full.
    pub(super) full: fn(&Counts) -> String,
    /// What rows are sorted by.
    pub(super) value: fn(&Counts) -> u64,
}

macro_rules! count {
    ($name:literal, $field:ident, $about:literal) => {
        TableColumn {
            name: $name,
            about: $about,
            short: |counts| short(counts.$field),
            full: |counts| grouped(counts.$field),
            value: |counts| counts.$field,
        }
    };
}

pub(super) const COLUMNS: [TableColumn; 5] = [
    count!("attempts", attempts, "TCP connection attempts, whatever their outcome."),
    count!(
        "unanswered",
        unanswered,
        "Attempts whose SYN was retransmitted, or sent until the socket gave up, without a SYN-ACK or RST being seen."
    ),
    TableColumn {
        name: "share",
        about: "Unanswered attempts as a share of all attempts in this row.",
        short: |counts| share(counts.unanswered, counts.attempts),
        full: |counts| share(counts.unanswered, counts.attempts),
        value: |counts| (counts.unanswered.saturating_mul(1_000_000)).checked_div(counts.attempts).unwrap_or(0),
    },
    count!("flagged", flagged, "Attempts with a retransmitted SYN whose translated port is outside the allowed ports."),
    count!("rtx", retransmits, "SYN retransmissions of these attempts."),
];

/// A table.
#[derive(Default)]
pub(super) struct ReportTable {
    pub(super) title: &'static str,
    /// What a row is.
    pub(super) label: &'static str,
    /// What the rows are, one sentence.
    pub(super) about: &'static str,
    pub(super) rows: Vec<Row>,
    /// What the list of a row is, one phrase; empty where rows have none.
    pub(super) listed: &'static str,
    /// What all further rows add up to.
    pub(super) others: Option<Row>,
    /// What else is to be said, a paragraph each.
    pub(super) notes: Vec<String>,
}

/// A row.
pub(super) struct Row {
    pub(super) label: String,
    pub(super) counts: Counts,
    /// Where its SYNs were retransmitted to, or who did: the worst first.
    pub(super) list: Vec<(String, Counts)>,
}

/// The worst pairs of client and destination.
type Pairs = [((Client, SocketAddr), Counts)];

/// All tables that have something to show.
pub(super) fn all(report: &Report<'_>) -> Vec<ReportTable> {
    let tally = report.tally;
    let pairs = tally.retransmitted.ranking(usize::MAX).worst;
    let destination = |(_, destination): &(Client, SocketAddr)| destination.to_string();
    let is = |client: Client| move |pair: &(Client, SocketAddr)| pair.0 == client;
    let destinations = |client| listed(&pairs, is(client), destination);
    let mut tables = vec![
        by_cause(report),
        ranked(
            ("Destinations", "destination", "As the client asked for it, before NAT; sorted by unanswered attempts."),
            ("clients whose SYN was retransmitted", &|key| {
                listed(&pairs, |pair| pair.1 == *key, |pair| client(&pair.0))
            }),
            &tally.destinations,
            ToString::to_string,
        ),
        ranked(
            ("Namespaces", "namespace", "Kubernetes namespaces of the attempts whose pod is known."),
            ("", &|_| Vec::new()),
            &tally.namespaces,
            |name| Escaped(name).to_string(),
        ),
        ranked(
            ("Pods", "namespace/pod", "The pod that owned the attempt's network namespace when the attempt began."),
            (DESTINATIONS, &|(namespace, pod)| destinations(Client::Pod(Arc::clone(namespace), Arc::clone(pod)))),
            &tally.pods,
            |(namespace, pod)| client(&Client::Pod(Arc::clone(namespace), Arc::clone(pod))),
        ),
        ranked(
            ("Containers", "container", "Containers without a pod, such as those of Docker."),
            (DESTINATIONS, &|container| destinations(Client::Container(Arc::clone(container)))),
            &tally.containers,
            |name| Escaped(name).to_string(),
        ),
        ranked(
            ("Processes", "name", "The process that had the socket open, of attempts whose SYN was retransmitted."),
            ("", &|_| Vec::new()),
            &tally.processes,
            |name| Escaped(name).to_string(),
        ),
        ranked(
            ("Sources", "original source", "The original address; the translated address if only the wire was seen."),
            (DESTINATIONS, &|address| destinations(Client::Address(*address))),
            &tally.sources,
            ToString::to_string,
        ),
        by_node(report),
        by_mode(report),
    ];
    tables.retain(|table| !table.rows.is_empty());
    tables
}

/// What the lists are, and the list of a key.
type Lists<'a, K> = (&'static str, &'a dyn Fn(&K) -> Vec<(String, Counts)>);

const DESTINATIONS: &str = "destinations to which its SYN was retransmitted";

fn listed(
    pairs: &Pairs,
    is_of: impl Fn(&(Client, SocketAddr)) -> bool,
    name: impl Fn(&(Client, SocketAddr)) -> String,
) -> Vec<(String, Counts)> {
    let of = pairs.iter().filter(|(pair, _)| is_of(pair));
    of.take(MAX_LISTED).map(|(pair, counts)| (name(pair), *counts)).collect()
}

fn client(client: &Client) -> String {
    match client {
        Client::Pod(namespace, pod) => format!("{}/{}", Escaped(namespace), Escaped(pod)),
        Client::Container(container) => Escaped(container).to_string(),
        Client::Address(address) => address.to_string(),
    }
}

fn by_cause(report: &Report<'_>) -> ReportTable {
    let causes = &report.summary.by_cause;
    let rows = worst_first(causes.iter().map(|(cause, &counts)| (words(cause), counts)).collect());
    let present = causes::ALL.iter().filter(|cause| causes.contains_key(cause.id));
    ReportTable {
        title: "Causes",
        label: "cause",
        about: "Why SYNs were retransmitted: attempts with at least one retransmit, each counted once.",
        rows,
        notes: present.map(Cause::note).collect(),
        ..ReportTable::default()
    }
}

fn by_node(report: &Report<'_>) -> ReportTable {
    let mut rows: Vec<(String, Counts)> = Vec::new();
    for (number, capture) in report.captures.iter().enumerate() {
        let node = Escaped(&capture.node).to_string();
        let counts = report.tally.nodes.get(number).copied().unwrap_or_default();
        match rows.iter_mut().find(|row| row.0 == node) {
            Some(row) => row.1 += counts,
            None => rows.push((node, counts)),
        }
    }
    ReportTable {
        title: "Nodes",
        label: "node",
        about: "The nodes that the traces come from.",
        rows: worst_first(rows),
        ..ReportTable::default()
    }
}

fn by_mode(report: &Report<'_>) -> ReportTable {
    let modes = report.tally.modes.iter().map(|(mode, &counts)| (words(mode.name()), counts));
    ReportTable {
        title: "How NAT chose the port",
        label: "NAT mode",
        about: "Fully random: drawn from 1024-65535; preserved: the source port, unless taken; range: as the rule names \
                it; unknown: not seen.",
        rows: worst_first(modes.collect()),
        ..ReportTable::default()
    }
}

fn ranked<K: Clone + Eq + Hash + Ord>(
    (title, label, about): (&'static str, &'static str, &'static str),
    (listed, list): Lists<'_, K>,
    top: &Top<K>,
    name: fn(&K) -> String,
) -> ReportTable {
    let ranking = top.ranking(MAX_ROWS);
    let row = |(key, counts): &(K, Counts)| Row { label: name(key), counts: *counts, list: list(key) };
    let rows = ranking.worst.iter().map(row).collect();
    let more = if ranking.is_exact { "" } else { "at least " };
    let others = (ranking.rest.attempts > 0).then(|| Row {
        label: format!("{more}{} others", grouped(ranking.others)),
        counts: ranking.rest,
        list: Vec::new(),
    });
    let note =
        "Too many to count each separately: counts of single rows may be too low, and that of the others too high.";
    let notes = if ranking.is_exact { Vec::new() } else { vec![note.to_owned()] };
    ReportTable { title, label, about, rows, listed, others, notes }
}

fn worst_first(mut rows: Vec<(String, Counts)>) -> Vec<Row> {
    rows.sort_by_key(|(_, counts)| counts.severity());
    rows.into_iter().map(|(label, counts)| Row { label, counts, list: Vec::new() }).collect()
}

/// A name from JSON as words.
fn words(name: &str) -> String {
    name.replace('_', " ")
}
