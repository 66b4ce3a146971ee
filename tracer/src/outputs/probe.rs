//! What a probe found: the conclusion of `infer`, the option to use, and what else made connections fail. docs/json.md has the fields.

use std::io::{self, Write};

use nix::errno::Errno;
use nix::unistd::Uid;
use schemars::JsonSchema;
use serde::Serialize;

use super::inference::{ConclusionFormat, write_conclusions};
use super::json_line::write_line;
use super::text::paragraph;
use crate::infer::Verdict;
use crate::model::{PortSet, plural};
use crate::probe::{Probed, TargetCounts};

/// Filters have fewer.
const MAX_RANGES: usize = 20;

/// `kind:"probe"`
#[derive(Serialize, JsonSchema)]
pub(super) struct ProbeLine {
    #[schemars(extend("const" = "probe"))]
    kind: &'static str,
    family: &'static str,
    connections: usize,
    complete: bool,
    stopped: bool,
    seconds: f64,
    allow: Option<PortSet>,
    /// Of connections from ports that had been answered before, by their number and those that failed.
    controls: u32,
    controls_unanswered: u32,
    changed: bool,
    rate: f64,
    too_fast: Vec<f64>,
    answers_per_second: Option<f64>,
    ports_in_use: usize,
    source_ports: &'static str,
    never_left: usize,
    targets: Vec<TargetObject>,
    notes: Vec<String>,
}

#[derive(Serialize, JsonSchema)]
struct TargetObject {
    target: String,
    accepted: u64,
    refused: u64,
    unanswered: u64,
    unreachable: u64,
    denied: u64,
    left_out: bool,
}

/// Writes what was found about one address family.
pub fn write(probed: &Probed, is_ipv4: bool, format: ConclusionFormat, mut out: impl Write) -> io::Result<()> {
    if probed.moved().is_none() {
        write_conclusions(probed.report.conclusion.as_slice(), format, &mut out)?;
    }
    let ConclusionFormat::Text(terminal) = format else { return write_line(&mut out, &line(probed, is_ipv4)) };
    let option = if is_ipv4 { "--allow" } else { "--allow6" };
    let usable = allow(probed).map(|allow| format!("use {option} {allow}"));
    usable.into_iter().chain(notes(probed)).try_for_each(|line| out.write_all(paragraph(terminal, &line).as_bytes()))
}

fn allow(probed: &Probed) -> Option<PortSet> {
    probed.moved().is_none().then(|| probed.report.allow())?
}

fn never_left(probed: &Probed) -> usize {
    probed.own_nat.as_ref().map_or(0, |own| own.missing)
}

/// What a reader has to know besides the conclusion, one sentence each.
fn notes(probed: &Probed) -> Vec<String> {
    let report = &probed.report;
    if let Some((from, to)) = probed.moved() {
        return vec![format!(
            "NAT on this node changes the source ports of these connections ({from} left as {to}), so they say nothing about ports: \
             probe from the node's own network namespace"
        )];
    }
    let mut notes = Vec::new();
    if let Some(Verdict::OneDestination(_)) = report.conclusion.as_ref().map(|conclusion| &conclusion.verdict) {
        notes.push(
            "name a second target in another network to distinguish a filter in front of this node from one at the \
             target"
                .to_owned(),
        );
    }
    notes.extend(report.targets.iter().filter_map(target_note));
    if report.ranges > MAX_RANGES && report.allow().is_none() {
        notes.push(format!(
            "answered and unanswered ports alternate {} times, which a filter of a few ranges does not do: perhaps \
             a filter by another property of the port, or one on some of several paths",
            report.ranges - 1
        ));
    }
    let (made, failed) = report.controls;
    if report.is_changed {
        notes.push(
            "the path changed during the probe: ports at an edge were answered at first and later not; run it again"
                .to_owned(),
        );
    } else if let Some(rate) = report.slowed_from.first() {
        notes.push(slowed(probed, *rate));
    } else if failed > 0 {
        let share = f64::from(failed) * 100.0 / f64::from(made);
        let nat = if share > 25.0 {
            ": heavy loss, or another NAT changes the source ports of these connections"
        } else {
            ""
        };
        notes.push(format!(
            "loss: {failed} of {made} connections ({share:.0} %) from ports that had been answered went unanswered{nat}"
        ));
    }
    match &probed.own_nat {
        Ok(own) if own.found == 0 => notes.push(unknown_nat(Uid::effective().is_root())),
        Ok(_) => {}
        Err(why) => notes.push(format!("whether NAT on this node changes source ports is not known: {why}")),
    }
    if never_left(probed) > 0 {
        let count = never_left(probed);
        notes.push(format!(
            "{count} of the first connections have no conntrack entry: a rule of this node dropped \
                            their SYN, so the result shows the effect of that rule too (nft list ruleset)"
        ));
    }
    if report.ports_in_use > 0 {
        let plural = if report.ports_in_use == 1 { "port is" } else { "ports are" };
        notes.push(format!(
            "{} source {plural} in use or refused on this node; neighbours were tried instead",
            report.ports_in_use
        ));
    }
    let stopped = if probed.is_stopped { "stopped early: " } else { "" };
    let incomplete =
        if report.is_complete { "" } else { "; the edges were not located to the exact port: try a larger -n" };
    notes.push(format!(
        "{stopped}{} in {:.1} s{incomplete}",
        plural(report.connections as u64, "connection"),
        probed.took.as_secs_f64()
    ));
    notes
}

fn unknown_nat(is_root: bool) -> String {
    let hint = if is_root { "" } else { " (reading it needs root)" };
    format!(
        "whether NAT on this node changes source ports is not known, because conntrack shows none of these connections{hint}"
    )
}

fn slowed(probed: &Probed, rate: f64) -> String {
    let report = &probed.report;
    let answers =
        report.answers_per_second.map_or_else(String::new, |answers| format!(", about {answers:.0} answers a second"));
    let end = if report.slowed_from.len() > 3 || report.slowed_from.contains(&report.rate) {
        format!(
            "and at {:.0} a second too: too much is lost, or the target stopped answering; wait and use a lower --rate",
            report.rate
        )
    } else {
        format!(
            "a rate limit or an overloaded path; unanswered connections of that time do not count, and the probe \
             went on with {:.0} a second",
            report.rate
        )
    };
    format!("at {rate:.0} connections a second ports that had been answered went unanswered{answers}: {end}")
}

/// What is special about a target.
fn target_note(counts: &TargetCounts) -> Option<String> {
    let TargetCounts { target, accepted, refused, unanswered, unreachable, denied, errno, is_left_out } = counts;
    let answered = accepted + refused;
    let connections = |count: u64| plural(count, "connection");
    let error = errno.map_or_else(String::new, |errno| format!(" ({})", Errno::from_raw(errno).desc()));
    if *denied > 0 {
        return Some(format!("{target}: this node itself refused {}{error}", connections(*denied)));
    }
    if answered == 0 && *unreachable > 0 {
        return Some(format!("{target}: cannot be reached{error}: an ICMP error, or no route"));
    }
    if answered == 0 {
        let why = if *is_left_out {
            "not even ports that other targets answered: no server there"
        } else {
            "no server there, or no port passes"
        };
        return Some(format!(
            "{target}: never answered {}: {why}, or this node drops them (snatrace tail --all shows it)",
            connections(*unanswered)
        ));
    }
    if *is_left_out {
        return Some(format!(
            "{target}: left {unanswered} of {} unanswered from ports that other targets answered; excluded",
            connections(answered + unanswered)
        ));
    }
    if *unreachable > 0 {
        return Some(format!("{target}: {} ended with an ICMP error{error}", connections(*unreachable)));
    }
    (*refused > 0).then(|| format!("{target}: refused {} with an RST, which is an answer", connections(*refused)))
}

fn line(probed: &Probed, is_ipv4: bool) -> ProbeLine {
    let report = &probed.report;
    let target = |counts: &TargetCounts| TargetObject {
        target: counts.target.to_string(),
        accepted: counts.accepted,
        refused: counts.refused,
        unanswered: counts.unanswered,
        unreachable: counts.unreachable,
        denied: counts.denied,
        left_out: counts.is_left_out,
    };
    ProbeLine {
        kind: "probe",
        family: if is_ipv4 { "ipv4" } else { "ipv6" },
        connections: report.connections,
        complete: report.is_complete,
        stopped: probed.is_stopped,
        seconds: (probed.took.as_secs_f64() * 10.0).round() / 10.0,
        allow: allow(probed),
        controls: report.controls.0,
        controls_unanswered: report.controls.1,
        changed: report.is_changed,
        rate: report.rate,
        too_fast: report.slowed_from.clone(),
        answers_per_second: report.answers_per_second.map(|answers| (answers * 10.0).round() / 10.0),
        ports_in_use: report.ports_in_use,
        source_ports: match &probed.own_nat {
            Ok(own) if own.moved.is_some() => "changed",
            Ok(own) if own.found > 0 => "kept",
            Ok(_) | Err(_) => "unknown",
        },
        never_left: never_left(probed),
        targets: report.targets.iter().map(target).collect(),
        notes: notes(probed),
    }
}

#[cfg(test)]
mod tests {
    use super::unknown_nat;

    #[test]
    fn root_is_not_advised_to_be_root() {
        assert!(unknown_nat(false).contains("needs root") && !unknown_nat(true).contains("root"));
    }
}
