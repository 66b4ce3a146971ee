//! The sentences of a report.

use jiff::civil::DateTime;

use super::numbers::{grouped, share, span};
use super::{FamilyPorts, Report};
use crate::causes::{self, Cause};
use crate::model::{Capture, Clock, Strength};
use crate::outputs::escape::Escaped;
use crate::outputs::policies::sentences;
use crate::outputs::text::policy;

const NS_PER_S: i128 = 1_000_000_000;

/// Instead of a picture.
pub(super) const NO_PORT: &str = "No attempt with a translated port was answered or unanswered.";

/// What happened, in one or two sentences.
pub(super) fn headline(report: &Report<'_>) -> String {
    let all = report.tally.all;
    let attempts = grouped(all.attempts);
    if all.attempts == 0 {
        return "No connection attempt was seen.".to_owned();
    }
    if all.unanswered == 0 {
        return format!("No attempt is unanswered: {} of {attempts} were answered.", grouped(all.answered));
    }
    let failed = format!(
        "{} of {attempts} attempts got no answer ({}).",
        grouped(all.unanswered),
        share(all.unanswered, all.attempts)
    );
    if all.flagged == 0 {
        return format!("{failed} None of them is flagged.");
    }
    let flagged = grouped(all.flagged);
    let verb = if all.flagged == 1 { "attempt is" } else { "attempts are" };
    format!(
        "{failed} {flagged} {verb} flagged: NAT chose a source port outside the allowed ports. {}",
        strength(report)
    )
}

/// What to do about the cause that most attempts have; `None` where no cause is known.
pub(super) fn remedy(report: &Report<'_>) -> Option<String> {
    let attempts = |cause: &&Cause| report.summary.by_cause.get(cause.id).map_or(0, |counts| counts.attempts);
    let known = causes::ALL.iter().filter(|cause| !causes::is_unknown(cause) && attempts(cause) > 0);
    known.max_by_key(attempts).map(Cause::note)
}

/// How strong the evidence is that a filter is the reason.
fn strength(report: &Report<'_>) -> &'static str {
    match report.summary.strength() {
        Some(Strength::Proven) => "That a filter drops return traffic to those ports is proven.",
        Some(Strength::Supported) => "The evidence supports a filter as the reason, but does not prove it yet.",
        Some(Strength::NoneYet) | None => {
            "There are too few attempts to compare with, or something else may explain the failures, so the reason is not known."
        }
        Some(Strength::Contradicted) => "The evidence contradicts a filter as the reason.",
    }
}

/// When, and for how long; `None` without attempts.
pub(super) fn period(report: &Report<'_>) -> Option<String> {
    let (first, last) = (report.tally.first_unix_ns?, report.tally.last_unix_ns?);
    let clock = report.clock();
    let (from, to) = (clock.at(first)?, clock.at(last)?);
    let day = if from.date() == to.date() { String::new() } else { format!("{} ", to.date()) };
    let seconds = (last.div_euclid(NS_PER_S) - first.div_euclid(NS_PER_S)) as u64;
    let (from_day, zone) = (from.date(), clock.zone());
    Some(format!("{from_day} {} to {day}{}, {zone} ({})", time_of_day(from), time_of_day(to), span(seconds)))
}

/// Every capture with its policy; several of one node with the same policy are mentioned once.
pub(super) fn captures(report: &Report<'_>) -> Vec<String> {
    let mut lines: Vec<String> = report.captures.iter().map(capture).collect();
    lines.dedup();
    lines
}

fn capture(capture: &Capture) -> String {
    let (version, node, kernel) = (Escaped(&capture.version), Escaped(&capture.node), Escaped(&capture.kernel));
    format!("{node} ({kernel}), snatrace {version}: allowed translated ports {}", policy(&capture.policy))
}

/// Answers inside and outside of the policy.
pub(super) fn inside_and_outside(family: &FamilyPorts<'_>) -> String {
    let Some(allowed) = family.allowed else {
        return "The captures were judged by different policies, so none is marked.".to_owned();
    };
    let [inside, outside] = super::inside_and_outside(family.ports, allowed).map(|counts| match counts {
        (0, 0) => "no attempt".to_owned(),
        (answered, unanswered) => format!("{} of {} answered", grouped(answered), grouped(answered + unanswered)),
    });
    format!("Inside the allowed ports ({allowed}): {inside}. Outside: {outside}.")
}

/// What the evidence says about the policy, and which ports pass, each with its heading.
pub(super) fn conclusions(report: &Report<'_>) -> [(&'static str, Vec<String>); 2] {
    [
        ("Evidence about the allowed ports", sentences(&report.summary.policies, report.inference)),
        ("Which ports the path accepts", report.inference.iter().map(ToString::to_string).collect()),
    ]
}

/// Ports that are left of the picture.
pub(super) fn below(family: &FamilyPorts<'_>) -> Option<String> {
    let (answered, unanswered) = family.ports.between(0, crate::tally::LOWEST - 1);
    let counts = format!("answered {}, unanswered {}", grouped(answered), grouped(unanswered));
    (answered + unanswered > 0).then(|| format!("Not in the chart, below port {}: {counts}.", crate::tally::LOWEST))
}

/// The time of a step, as short as the length of the steps allows.
pub(super) fn step(clock: Clock, unix_s: i64, length_s: i64, span_s: i64) -> String {
    let Some(at) = clock.at(i128::from(unix_s) * NS_PER_S) else { return "-".to_owned() };
    let clock = if length_s < 60 { time_of_day(at) } else { format!("{:02}:{:02}", at.hour(), at.minute()) };
    match (length_s >= 86_400, span_s > 86_400) {
        (true, _) => at.date().to_string(),
        (false, true) => format!("{:02}-{:02} {clock}", at.month(), at.day()),
        (false, false) => clock,
    }
}

/// What the kernel could not deliver, what was given up, and what of the files could not be read.
pub(super) fn losses(report: &Report<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    let lost = report.summary.lost_total();
    if lost > 0 {
        let kinds = report.summary.lost_by_kind().filter(|&(_, count)| count > 0);
        let kinds: Vec<_> = kinds.map(|(kind, count)| format!("{} {}", kind.name(), grouped(count))).collect();
        let kinds = kinds.join(", ");
        let events = if lost == 1 { "event was" } else { "events were" };
        lines.push(format!("{} {events} lost, so attempts may be missing or incomplete: {kinds}.", grouped(lost)));
    }
    if report.summary.skipped() > 0 {
        let skipped = grouped(report.summary.skipped());
        lines.push(format!(
            "{skipped} program runs were skipped by the kernel's recursion guard; events may be missing."
        ));
    }
    if let Some(words) = report.summary.unseen_words() {
        lines.push(format!("{} attempts: {words}.", grouped(report.summary.unseen)));
    }
    if report.summary.evicted > 0 {
        let evicted = grouped(report.summary.evicted);
        lines.push(format!("{evicted} attempts and bindings were evicted early because a table was full."));
    }
    if report.read.has_notes() {
        lines.push(format!("Files: {}.", report.read));
    }
    if lines.is_empty() {
        lines.push(format!("No events were lost; {} events were read.", grouped(report.read.events)));
    }
    lines
}

fn time_of_day(at: DateTime) -> String {
    format!("{:02}:{:02}:{:02}", at.hour(), at.minute(), at.second())
}
