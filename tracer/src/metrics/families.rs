//! A snapshot as families of metrics in the text format of Prometheus. docs/metrics.md lists the same names.

use anyhow::{Context as _, Result};
use prometheus::TextEncoder;
use prometheus::core::Collector as _;
use prometheus::process_collector::ProcessCollector;
use prometheus::proto::MetricType::{self, COUNTER, GAUGE};
use prometheus::proto::{Counter, Gauge, LabelPair, Metric, MetricFamily};
use tracer_common::config::Loss;

use super::board::{Board, OwnerCounts, Snapshot};
use super::conntrack::{ConntrackFiles, ConntrackTable};
use crate::infer::Conclusion;
use crate::model::{Capture, Owner, PortSet, Strength};

/// The labels that stand for all owners without a series of their own.
const OTHER: [&str; 3] = ["other", "other", ""];

/// What metrics are made of, for every way to get them.
pub(super) struct Export {
    pub(super) board: Board,
    pub(super) conntrack: ConntrackFiles,
}

impl Export {
    /// All metrics; those of the process only for a scrape, for node_exporter has its own of the same names.
    pub(super) fn text(&self, with_process: bool) -> Result<String> {
        let snapshot = self.board.load();
        text(snapshot.as_ref().map(|(_, snapshot)| &**snapshot), &self.conntrack.read(), with_process)
    }
}

fn text(snapshot: Option<&Snapshot>, tables: &[ConntrackTable], with_process: bool) -> Result<String> {
    let mut families = Families::default();
    if let Some(snapshot) = snapshot {
        families.snapshot(snapshot);
    }
    families.conntrack(tables);
    if with_process {
        families.0.extend(ProcessCollector::for_self().collect());
    }
    TextEncoder::new().encode_to_string(&families.0).context("cannot write metrics as text")
}

/// Values of the labels, and the value of the metric.
type Sample<const N: usize> = ([String; N], f64);

#[derive(Default)]
struct Families(Vec<MetricFamily>);

impl Families {
    fn family<const N: usize>(
        &mut self,
        kind: MetricType,
        name: &str,
        help: &str,
        labels: [&str; N],
        samples: impl IntoIterator<Item = Sample<N>>,
    ) {
        let metrics = samples.into_iter().map(|(values, value)| {
            let mut metric = Metric::default();
            if kind == COUNTER {
                let mut counter = Counter::default();
                counter.set_value(value);
                metric.set_counter(counter);
            } else {
                let mut gauge = Gauge::default();
                gauge.set_value(value);
                metric.set_gauge(gauge);
            }
            let pairs = labels.iter().zip(values).map(|(label, value)| {
                let mut pair = LabelPair::default();
                pair.set_name((*label).to_owned());
                pair.set_value(value);
                pair
            });
            metric.set_label(pairs.collect());
            metric
        });
        let metrics: Vec<Metric> = metrics.collect();
        // The encoder takes a family without metrics for a mistake.
        if metrics.is_empty() {
            return;
        }
        let mut family = MetricFamily::default();
        family.set_name(format!("snatrace_{name}"));
        family.set_help(help.to_owned());
        family.set_field_type(kind);
        family.set_metric(metrics);
        self.0.push(family);
    }

    fn snapshot(&mut self, snapshot: &Snapshot) {
        if let Some(capture) = &snapshot.capture {
            self.capture(capture);
        }
        self.attempts(snapshot);
        self.owners(snapshot);
        self.ports(snapshot);
        self.state(snapshot);
    }

    fn capture(&mut self, capture: &Capture) {
        let Capture { version, node, kernel, policy, .. } = capture;
        let build = [([version.clone(), node.clone(), kernel.clone()], 1.0)];
        let help = "Version of snatrace, node and kernel.";
        self.family(GAUGE, "build_info", help, ["version", "node", "kernel"], build);
        let allowed = [true, false].map(|is_ipv4| {
            let origin = policy.origin_of(is_ipv4).name().to_owned();
            ([family_name(is_ipv4).to_owned(), policy.allowed(is_ipv4).to_string(), origin], 1.0)
        });
        let help = "Translated ports that are allowed by --allow and --allow6.";
        self.family(GAUGE, "allowed_ports_info", help, ["family", "ports", "origin"], allowed);
        let hooks = capture.hooks.iter().map(|hook| ([hook.stem.clone()], f64::from(u8::from(hook.off.is_none()))));
        self.family(GAUGE, "hook_up", "Whether the hook is attached.", ["hook"], hooks);
    }

    fn attempts(&mut self, snapshot: &Snapshot) {
        let progress = &snapshot.progress;
        for (name, help, count) in [
            ("attempts_total", "TCP connection attempts that have ended.", progress.attempts),
            ("translated_attempts_total", "Ended attempts whose translated tuple is known.", progress.translated),
            ("retransmitted_attempts_total", "Attempts whose SYN was retransmitted.", progress.retransmitted),
            (
                "flagged_attempts_total",
                "Attempts whose SYN was retransmitted and whose translated port is not allowed.",
                progress.flagged,
            ),
        ] {
            self.family(COUNTER, name, help, [], [([], number(count))]);
        }
        let help = "SYN retransmits, by cause as known at the time.";
        let causes = progress.causes().map(|(cause, count)| ([cause.to_owned()], number(count)));
        self.family(COUNTER, "syn_retransmits_total", help, ["cause"], causes);
        let strengths = progress.strengths().map(|(strength, count)| ([strength.name().to_owned()], number(count)));
        let help = "SYN retransmits from ports that are not allowed, by the evidence that a filter drops return traffic to them.";
        self.family(COUNTER, "flagged_syn_retransmits_total", help, ["evidence"], strengths);
    }

    /// Labels that no discovery of targets sets: `pod` and `namespace` would be those of snatrace's own pod.
    fn owners(&mut self, snapshot: &Snapshot) {
        const LABELS: [&str; 3] = ["source_namespace", "source_pod", "source_container"];
        let labels = |owner: &Owner| {
            [&owner.namespace, &owner.pod, &owner.container].map(|name| name.as_deref().unwrap_or_default().to_owned())
        };
        let mut family = |name: &str, help: &str, count: fn(&OwnerCounts) -> u64| {
            let known = snapshot.owners.iter().map(|(owner, counts)| (labels(owner), number(count(counts))));
            let other = (OTHER.map(str::to_owned), number(count(&snapshot.other_owners)));
            self.family(COUNTER, name, help, LABELS, known.chain([other]));
        };
        family(
            "source_attempts_total",
            "Ended attempts by pod or container; all without retransmits are in `other`.",
            |of| of.attempts,
        );
        family(
            "source_retransmitted_attempts_total",
            "Attempts whose SYN was retransmitted, by pod or container.",
            |of| of.retransmitted,
        );
        family("source_flagged_attempts_total", "Flagged attempts by pod or container.", |of| of.flagged);
    }

    fn ports(&mut self, snapshot: &Snapshot) {
        let edge = |edge: fn(&PortSet) -> Option<u16>| {
            let of =
                move |of: &Conclusion| Some(([family_name(of.is_ipv4).to_owned()], edge(&of.class()?.split)?.into()));
            snapshot.conclusions.iter().filter_map(of)
        };
        let help = "Lowest translated port that the path accepts, by all attempts; absent while nothing is concluded.";
        let lowest = edge(|ports| ports.ranges().next().map(|(low, _)| low));
        self.family(GAUGE, "inferred_lowest_port", help, ["family"], lowest);
        let help = "Highest translated port that the path accepts, by all attempts; absent while nothing is concluded.";
        let highest = edge(|ports| ports.ranges().last().map(|(_, high)| high));
        self.family(GAUGE, "inferred_highest_port", help, ["family"], highest);
        let policies = snapshot.policies.iter().flat_map(|policy| {
            Strength::ALL.map(|strength| {
                let netns = policy.netns.map_or_else(String::new, |netns| netns.to_string());
                let labels = [policy.family_name(), &netns, &policy.ifindex.to_string(), strength.name()];
                (labels.map(str::to_owned), f64::from(u8::from(policy.strength() == strength)))
            })
        });
        let help = "1 for the evidence that a filter drops return traffic to ports that are not allowed, by uplink.";
        self.family(GAUGE, "policy_evidence", help, ["family", "netns", "ifindex", "evidence"], policies);
    }

    fn state(&mut self, snapshot: &Snapshot) {
        let Snapshot { tick, progress, is_blind, blind_ns, .. } = snapshot;
        let losses = Loss::ALL.into_iter().zip(progress.lost);
        let lost = losses.filter(|(loss, _)| loss.is_certain());
        let lost = lost.map(|(loss, count)| ([loss.name().to_owned()], number(count)));
        let help = "Events lost in the kernel: other counts may be too low.";
        self.family(COUNTER, "events_lost_total", help, ["kind"], lost);
        let skipped = progress.lost[Loss::Skipped as usize];
        let blind = u8::from(*is_blind).into();
        for (kind, name, value, help) in [
            (
                COUNTER,
                "program_runs_skipped_total",
                number(skipped),
                "Program runs skipped by the kernel's recursion guard; events may be missing.",
            ),
            (
                COUNTER,
                "evictions_total",
                number(tick.evicted),
                "Attempts and bindings given up early because a table was full.",
            ),
            (COUNTER, "blind_seconds_total", number(*blind_ns) / 1e9, "Time during which no interface was watched."),
            (GAUGE, "blind", blind, "Whether no interface is watched."),
            (GAUGE, "open_attempts", number(tick.open), "Attempts under way."),
            (GAUGE, "open_attempts_limit", number(tick.capacity), "Attempts that fit into the table."),
        ] {
            self.family(kind, name, help, [], [([], value)]);
        }
    }

    fn conntrack(&mut self, tables: &[ConntrackTable]) {
        let label = |table: &ConntrackTable| [table.netns.to_string()];
        let entries = tables.iter().filter_map(|table| Some((label(table), number(table.entries?))));
        self.family(GAUGE, "conntrack_entries", "Entries in the conntrack table.", ["netns"], entries);
        let limits = tables.iter().filter_map(|table| Some((label(table), number(table.limit?))));
        let help = "Entries that fit into the conntrack table.";
        self.family(GAUGE, "conntrack_entries_limit", help, ["netns"], limits);
        for (name, kernel, help) in [
            (
                "insert_failed",
                "insert_failed",
                "Entries that could not be inserted, mostly because their tuple was taken.",
            ),
            ("drops", "drop", "Packets dropped because an entry could not be made."),
            ("early_drops", "early_drop", "Entries given up to make room."),
        ] {
            let counts = tables.iter().filter_map(|table| Some((label(table), number(*table.counters.get(kernel)?))));
            self.family(COUNTER, &format!("conntrack_{name}_total"), help, ["netns"], counts);
        }
    }
}

const fn family_name(is_ipv4: bool) -> &'static str {
    if is_ipv4 { "ipv4" } else { "ipv6" }
}

#[expect(clippy::cast_precision_loss, reason = "Prometheus knows no other numbers")]
const fn number(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use super::*;
    use crate::model::example;

    fn full() -> String {
        let owner = Owner::parse("shop/check\"out-0/");
        let policies = vec![example::policy_evidence()];
        let capture = Some(Arc::new(example::capture("node7")));
        let mut infer = crate::infer::Infer::default();
        for number in 0..1000_u16 {
            let port = 1024 + number.wrapping_mul(7919) % 64511;
            for server in 1..=5 {
                let flow = example::flow(&format!("192.0.2.1:{port}"), &format!("203.0.113.{server}:443"));
                infer.observe(&flow, port >= 32768, number.into());
            }
        }
        let conclusions = infer.conclusions();
        let owners = vec![(owner, OwnerCounts { attempts: 3, retransmitted: 2, flagged: 1 })];
        let snapshot =
            Snapshot { capture, owners, policies, conclusions, blind_ns: 1_500_000_000, ..Snapshot::default() };
        let counters = ["insert_failed", "drop", "early_drop"].map(|name| (name.to_owned(), 3)).into();
        text(Some(&snapshot), &[ConntrackTable { netns: 7, entries: Some(5), limit: Some(10), counters }], false)
            .unwrap()
    }

    #[test]
    fn a_snapshot_is_text_that_prometheus_reads() {
        let text = full();
        for line in [
            "snatrace_attempts_total 0",
            r#"snatrace_syn_retransmits_total{cause="port_out_of_range"} 0"#,
            r#"snatrace_source_flagged_attempts_total{source_namespace="shop",source_pod="check\"out-0",source_container=""} 1"#,
            r#"snatrace_source_flagged_attempts_total{source_namespace="other",source_pod="other",source_container=""} 0"#,
            r#"snatrace_policy_evidence{family="ipv4",netns="",ifindex="2",evidence="proven"} 1"#,
            r#"snatrace_inferred_lowest_port{family="ipv4"} 32768"#,
            r#"snatrace_conntrack_insert_failed_total{netns="7"} 3"#,
            "snatrace_blind_seconds_total 1.5",
        ] {
            assert!(text.lines().any(|of| of == line), "{line}:\n{text}");
        }
    }

    #[test]
    fn docs_metrics_md_names_every_metric_and_no_other() {
        let text = full();
        let exported: BTreeSet<_> =
            text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
        let exported: BTreeSet<_> = exported.into_iter().filter(|name| name.starts_with("snatrace_")).collect();
        let docs = include_str!("../../../docs/metrics.md");
        let named = docs.lines().filter_map(|line| line.strip_prefix("| `snatrace_")?.split(['`', '{']).next());
        let named: Vec<_> = named.map(|name| format!("snatrace_{name}")).collect();
        assert_eq!(exported, named.iter().map(String::as_str).collect());
    }
}
