//! The pictures: what is drawn, in which sizes, and the same numbers as a table for those who do not see it.

use anyhow::Result;
use maud::{Markup, html};

use super::parts::term;
use super::plot::{Bar, Plot};
use crate::report::numbers::{grouped, span};
use crate::report::{FamilyPorts, Report, words};
use crate::tally::{HIGHEST, LOWEST, Step};

/// For a wide page and for a phone: drawn twice, so that labels can be read on both.
const WIDE: (u32, u32) = (1040, 340);
const NARROW: (u32, u32) = (358, 290);
/// Ports in a bar: borders of bars are powers of two, 32768 among them.
const PORTS_WIDE: u32 = 512;
const PORTS_NARROW: u32 = 1024;
/// Steps in time at most.
const STEPS_WIDE: usize = 180;
const STEPS_NARROW: usize = 60;
/// The axis is at least so many steps long, or a short trace would be one block of colour.
const MIN_TIME_STEPS: i64 = 4;

pub(super) fn ports(family: &FamilyPorts<'_>) -> Result<Markup> {
    if family.ports.is_empty() {
        return Ok(html! { section { h2 { "Translated ports, " (family.name) } p { (words::NO_PORT) } } });
    }
    let wide = port_plot(family, PORTS_WIDE, &[1024, 8192, 16384, 24576, 32768, 40960, 49152, 57344, 65535]);
    let narrow = port_plot(family, PORTS_NARROW, &[1024, 16384, 32768, 49152, 65535]);
    let words = words::inside_and_outside(family);
    Ok(html! {
        section {
            h2 { "Translated ports, " (family.name) }
            p { (words) @if let Some(below) = words::below(family) { " " (below) } }
            (figure(&wide, &narrow, &format!("Answered and unanswered attempts by translated port, {}. {words}", family.name))?)
            p.note { "A bar is " (PORTS_WIDE) " ports, on a narrow page " (PORTS_NARROW) ". Attempts that ended before the outcome was known are left out." }
            (numbers("Ports", family.ports.columns(PORTS_NARROW).map(|(low, high, (answered, unanswered))|
                (format!("{low}-{high}"), answered, unanswered))))
        }
    })
}

fn port_plot(family: &FamilyPorts<'_>, width: u32, ticks: &[u32]) -> Plot {
    let bars = family.ports.columns(width).map(|(low, high, (above, below))| Bar {
        from: low.into(),
        to: i64::from(low + width),
        above,
        below,
        tip: format!("Ports {low}-{high}: {} answered, {} unanswered", grouped(above), grouped(below)),
    });
    let at = |&port: &u32| (i64::from(if port == HIGHEST { HIGHEST + 1 } else { port }), port.to_string());
    Plot {
        from: LOWEST.into(),
        to: i64::from(HIGHEST) + 1,
        bars: bars.collect(),
        ticks: ticks.iter().map(at).collect(),
        shaded: outside(family),
    }
}

/// The gaps between the allowed ranges; named where a name has room.
fn outside(family: &FamilyPorts<'_>) -> Vec<(i64, i64, &'static str)> {
    let Some(allowed) = family.allowed else { return Vec::new() };
    let mut gaps = Vec::new();
    let mut from = i64::from(LOWEST);
    let end = (i64::from(HIGHEST) + 1, 0);
    for (low, next) in allowed.ranges().map(|(low, high)| (low.into(), i64::from(high) + 1)).chain([end]) {
        if low > from {
            gaps.push((from, low, if low - from > 12_000 { "not allowed" } else { "" }));
        }
        from = from.max(next);
    }
    gaps
}

/// Nothing without attempts.
pub(super) fn over_time(report: &Report<'_>) -> Result<Option<Markup>> {
    let (wide, narrow) = (report.tally.timeline.columns(STEPS_WIDE), report.tally.timeline.columns(STEPS_NARROW));
    let (Some(first), Some(few)) = (wide.first(), narrow.first()) else { return Ok(None) };
    let (step, longer) = (span(first.length_s.unsigned_abs()), span(few.length_s.unsigned_abs()));
    let name = "Answered and unanswered attempts by the time at which they began.";
    Ok(Some(html! {
        section {
            h2 { "Over time" }
            (figure(&time_plot(report, &wide, 8), &time_plot(report, &narrow, 4), name)?)
            p.note { "A bar is " (step) @if step != longer { ", on a narrow page " (longer) } "; an attempt counts at the time at which it began." }
            (numbers("Start", narrow.iter().map(|step|
                (label(report, &narrow, step.start_s), step.counts.answered, step.counts.unanswered))))
        }
    }))
}

fn time_plot(report: &Report<'_>, steps: &[Step], ticks: usize) -> Plot {
    let bars = steps.iter().map(|step| Bar {
        from: step.start_s,
        to: step.start_s + step.length_s,
        above: step.counts.answered,
        below: step.counts.unanswered,
        tip: format!(
            "{}: {} answered, {} unanswered of {}",
            label(report, steps, step.start_s),
            grouped(step.counts.answered),
            grouped(step.counts.unanswered),
            grouped(step.counts.attempts)
        ),
    });
    let first_s = steps.first().map_or(0, |step| step.start_s);
    let starts =
        steps.iter().map(|step| step.start_s).step_by(steps.len().max(MIN_TIME_STEPS as usize).div_ceil(ticks).max(1));
    Plot {
        from: first_s,
        to: steps.last().map_or(1, |step| (step.start_s + step.length_s).max(first_s + MIN_TIME_STEPS * step.length_s)),
        bars: bars.collect(),
        ticks: starts.map(|start_s| (start_s, label(report, steps, start_s))).collect(),
        shaded: Vec::new(),
    }
}

fn label(report: &Report<'_>, steps: &[Step], unix_s: i64) -> String {
    let (Some(first), Some(last)) = (steps.first(), steps.last()) else { return String::new() };
    words::step(report.clock(), unix_s, first.length_s, last.start_s + last.length_s - first.start_s)
}

fn figure(wide: &Plot, narrow: &Plot, description: &str) -> Result<Markup> {
    Ok(html! {
        figure {
            figcaption.legend {
                (term("answered", "above", "Attempts answered by a SYN-ACK or RST: bars above the line."))
                (term("unanswered", "below", "Attempts whose SYN was retransmitted without an answer being seen: bars below the line."))
            }
            @for (class, plot, size) in [("wide", wide, WIDE), ("narrow", narrow, NARROW)] {
                div class={ "plot " (class) } role="img" aria-label=(description) { (plot.draw(size)?) }
            }
        }
    })
}

fn numbers(label: &str, rows: impl Iterator<Item = (String, u64, u64)>) -> Markup {
    html! {
        details {
            summary { "The numbers as a table" }
            table {
                thead { tr { th scope="col" { (label) } th.number scope="col" { "answered" } th.number scope="col" { "unanswered" } } }
                tbody {
                    @for (label, answered, unanswered) in rows {
                        tr { th scope="row" { (label) } td.number { (grouped(answered)) } td.number { (grouped(unanswered)) } }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tally::PortAnswers;

    fn gaps(allowed: &str) -> Vec<(i64, i64)> {
        let (ports, allowed) = (PortAnswers::default(), allowed.parse().unwrap());
        let family = FamilyPorts { name: "IPv4", ports: &ports, allowed: Some(&allowed) };
        outside(&family).into_iter().map(|(from, to, _)| (from, to)).collect()
    }

    #[test]
    fn what_is_not_allowed_is_shaded() {
        assert_eq!(gaps("32768-65535"), [(1024, 32768)]);
        assert_eq!(gaps("10000-19999"), [(1024, 10000), (20000, 65536)]);
        assert_eq!(gaps("1-2000,3000-4000,65535"), [(2001, 3000), (4001, 65535)]);
        assert_eq!(gaps("any"), []);
        assert_eq!(gaps("80"), [(1024, 65536)]);
    }
}
