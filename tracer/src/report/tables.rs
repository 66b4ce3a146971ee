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
pub(super) struct Column {
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

pub(super) const COLUMNS: [Column; 5] = [
    Column {
        name: "attempts",
        about: "TCP connection attempts, whatever their outcome.",
        short: |counts| short(counts.attempts),
        full: |counts| grouped(counts.attempts),
        value: |counts| counts.attempts,
    },
    Column {
        name: "unanswered",
        about: "Attempts whose SYN was retransmitted, or sent until the socket gave up, without a SYN-ACK or RST being seen.",
        short: |counts| short(counts.unanswered),
        full: |counts| grouped(counts.unanswered),
        value: |counts| counts.unanswered,
    },
    Column {
        name: "share",
        about: "Unanswered attempts as a share of all attempts in this row.",
        short: |counts| share(counts.unanswered, counts.attempts),
        full: |counts| share(counts.unanswered, counts.attempts),
        value: |counts| (counts.unanswered.saturating_mul(1_000_000)).checked_div(counts.attempts).unwrap_or(0),
    },
    Column {
        name: "flagged",
        about: "Attempts with a retransmitted SYN whose translated port is outside the allowed ports.",
        short: |counts| short(counts.flagged),
        full: |counts| grouped(counts.flagged),
        value: |counts| counts.flagged,
    },
    Column {
        name: "rtx",
        about: "SYN retransmissions of these attempts.",
        short: |counts| short(counts.retransmits),
        full: |counts| grouped(counts.retransmits),
        value: |counts| counts.retransmits,
    },
];

/// A table.
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
    let mut tables = vec![by_cause(report)];
    tables.push(ranked(
        ("Destinations", "destination", "As the client asked for it, before NAT; sorted by unanswered attempts."),
        ("clients whose SYN was retransmitted", &|key| listed(&pairs, |pair| pair.1 == *key, |pair| client(&pair.0))),
        &tally.destinations,
        ToString::to_string,
    ));
    tables.push(ranked(
        ("Namespaces", "namespace", "Kubernetes namespaces of the attempts whose pod is known."),
        NO_LIST,
        &tally.namespaces,
        |name| Escaped(name).to_string(),
    ));
    let is = |client: Client| move |pair: &(Client, SocketAddr)| pair.0 == client;
    tables.push(ranked(
        ("Pods", "namespace/pod", "The pod that owned the attempt's network namespace when the attempt began."),
        (DESTINATIONS, &|(namespace, pod): &(Arc<str>, Arc<str>)| {
            listed(&pairs, is(Client::Pod(namespace.clone(), pod.clone())), destination)
        }),
        &tally.pods,
        |(namespace, pod)| client(&Client::Pod(namespace.clone(), pod.clone())),
    ));
    tables.push(ranked(
        ("Containers", "container", "Containers without a pod, such as those of Docker."),
        (DESTINATIONS, &|container: &Arc<str>| listed(&pairs, is(Client::Container(container.clone())), destination)),
        &tally.containers,
        |name| Escaped(name).to_string(),
    ));
    tables.push(ranked(
        ("Processes", "name", "The process that had the socket open, of attempts whose SYN was retransmitted."),
        NO_LIST,
        &tally.processes,
        |name| Escaped(name).to_string(),
    ));
    tables.push(ranked(
        ("Sources", "original source", "The original address; the translated address if only the wire was seen."),
        (DESTINATIONS, &|address| listed(&pairs, is(Client::Address(*address)), destination)),
        &tally.sources,
        ToString::to_string,
    ));
    tables.push(by_node(report));
    tables.push(by_mode(report));
    tables.retain(|table| !table.rows.is_empty());
    tables
}

/// What the lists are, and the list of a key.
type Lists<'a, K> = (&'static str, &'a dyn Fn(&K) -> Vec<(String, Counts)>);

const DESTINATIONS: &str = "destinations to which its SYN was retransmitted";
const NO_LIST: Lists<'_, std::sync::Arc<str>> = ("", &|_| Vec::new());

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
        listed: "",
        others: None,
        notes: present.map(Cause::note).collect(),
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
        listed: "",
        others: None,
        notes: Vec::new(),
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
        listed: "",
        others: None,
        notes: Vec::new(),
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
