//! Keeps an output short: at most so many lines in a time, and a line of counts at an interval. By the time of events, as everything.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use super::{Moment, Output};
use crate::model::{Capture, Finding};
use crate::summary::Summary;
use crate::tally::Progress;

/// At most so many lines in each period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineRate {
    pub lines: u64,
    pub period: Duration,
}

impl LineRate {
    /// Of `tail` as text: more than anybody reads, and less than 1 MB of log a minute.
    pub const OF_TAIL: Self = Self { lines: 50, period: Duration::from_secs(1) };
}

/// How an output is kept short.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bounds {
    /// `--max-lines`
    pub rate: Option<LineRate>,
    /// `--interval`
    pub interval: Option<Duration>,
}

/// Lines that were left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeftOutLines {
    pub lines: u64,
    pub by_cause: BTreeMap<&'static str, u64>,
}

/// What happened on a node in an interval.
#[derive(Clone, Copy, Debug)]
pub struct Interval<'a> {
    /// Its end.
    pub moment: &'a Moment<'a>,
    pub seconds: f64,
    /// The counts in it.
    pub counts: &'a Progress,
}

/// The output within its bounds, if there are any.
pub(super) fn bounded(output: Box<dyn Output>, bounds: Bounds) -> Box<dyn Output> {
    if let Bounds { rate: None, interval: None } = bounds {
        return output;
    }
    let (left_out, intervals) = (LeftOutLines::default(), BTreeMap::new());
    Box::new(Bounded { output, bounds, period_began_ns: 0, lines: 0, left_out, left_out_at: None, intervals })
}

struct Bounded {
    output: Box<dyn Output>,
    bounds: Bounds,
    period_began_ns: u64,
    lines: u64,
    left_out: LeftOutLines,
    /// Where and when the first line was left out.
    left_out_at: Option<(Capture, u64)>,
    /// By node: since when, and the counts until then.
    intervals: BTreeMap<String, (u64, Progress)>,
}

impl Bounded {
    /// Whether there is room for the line.
    fn admits(&mut self, finding: &Finding<'_>) -> io::Result<bool> {
        let Some(rate) = self.bounds.rate else { return Ok(true) };
        self.advance(finding.capture, finding.time_ns)?;
        if self.lines < rate.lines {
            self.lines += 1;
            return Ok(true);
        }
        if self.left_out.lines == 0 {
            self.left_out_at = Some((finding.capture.clone(), finding.time_ns));
        }
        self.left_out.lines += 1;
        *self.left_out.by_cause.entry(finding.judgement.cause.unwrap_or("unknown")).or_default() += 1;
        Ok(false)
    }

    /// Begins another period where one has passed, and says what was left out of it.
    fn advance(&mut self, capture: &Capture, time_ns: u64) -> io::Result<()> {
        let Some(rate) = self.bounds.rate else { return Ok(()) };
        let since = Duration::from_nanos(time_ns.saturating_sub(self.period_began_ns));
        if since < rate.period {
            return Ok(());
        }
        (self.period_began_ns, self.lines) = (time_ns, 0);
        let left_out = std::mem::take(&mut self.left_out);
        if left_out.lines > 0 { self.output.left_out(capture, time_ns, &left_out) } else { Ok(()) }
    }

    fn interval(&mut self, moment: &Moment<'_>) -> io::Result<()> {
        let Some(interval) = self.bounds.interval else { return Ok(()) };
        let (now_ns, progress) = (moment.tick.time_ns, *moment.progress);
        let Some((since_ns, before)) = self.intervals.get_mut(&moment.capture.node) else {
            self.intervals.insert(moment.capture.node.clone(), (now_ns, progress));
            return Ok(());
        };
        let passed = Duration::from_nanos(now_ns.saturating_sub(*since_ns));
        if passed < interval {
            return Ok(());
        }
        let counts = progress.since(before);
        (*since_ns, *before) = (now_ns, progress);
        self.output.interval(&Interval { moment, seconds: passed.as_secs_f64(), counts: &counts })
    }
}

impl Output for Bounded {
    fn start(&mut self, captures: &[&Capture]) -> io::Result<()> {
        self.output.start(captures)
    }

    fn explains(&self, finding: &Finding<'_>) -> bool {
        self.output.explains(finding)
    }

    fn finding(&mut self, finding: &Finding<'_>) -> io::Result<()> {
        if self.admits(finding)? { self.output.finding(finding) } else { Ok(()) }
    }

    fn tick(&mut self, moment: &Moment<'_>) -> io::Result<()> {
        self.output.tick(moment)?;
        self.advance(moment.capture, moment.tick.time_ns)?;
        self.interval(moment)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }

    fn finish(&mut self, summary: &Summary) -> io::Result<()> {
        if let Some((capture, time_ns)) = self.left_out_at.as_ref().filter(|_| self.left_out.lines > 0) {
            self.output.left_out(capture, *time_ns, &self.left_out)?;
        }
        self.output.finish(summary)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::PortEvidence;
    use crate::infer::Infer;
    use crate::join::TickState;
    use crate::model::{Attempt, Judgement, example, example::FLAGGED};
    use crate::outputs::{View, testing};

    const SECOND_NS: u64 = 1_000_000_000;

    fn shown(format: &str, bounds: Bounds) -> String {
        shown_with(format, bounds, 0)
    }

    /// Ten flagged retransmits in the first second, one in the third, a tick after each second; then more of them before the end.
    fn shown_with(format: &str, bounds: Bounds, late_findings: u64) -> String {
        let capture = example::capture("node7");
        let attempt = example::attempt("10.42.0.7:5000", "203.0.113.80:443", "192.0.2.1:1200", "203.0.113.80:443");
        let attempt = Attempt { retransmits: 1, ..attempt };
        let judged = testing::Judged::new(&capture, &attempt);
        let view = View { bounds, ..testing::view(format) };
        let (infer, evidence) = (Infer::default(), PortEvidence::default());
        let mut progress = Progress::default();
        testing::written(&view, |output| {
            output.start(&[&capture])?;
            for (second, findings) in [10, 0, 1].into_iter().enumerate() {
                let began_ns = second as u64 * SECOND_NS;
                for number in 0..findings {
                    progress.retransmit(&FLAGGED, &Judgement::default(), false);
                    output.finding(&Finding { time_ns: began_ns + number + 1, ..judged.finding() })?;
                }
                let tick = TickState { time_ns: began_ns + SECOND_NS, open: 1, ..TickState::default() };
                let (infer, evidence, is_blind) = (&infer, &evidence, false);
                output.tick(&Moment { capture: &capture, tick, progress: &progress, infer, evidence, is_blind })?;
            }
            let late = |number| Finding { time_ns: 2 * SECOND_NS + 2 + number, ..judged.finding() };
            (0..late_findings).try_for_each(|number| output.finding(&late(number)))?;
            output.finish(&Summary::default())
        })
    }

    fn lines<'a>(text: &'a str, word: &str) -> Vec<&'a str> {
        text.lines().filter(|line| line.contains(word)).collect()
    }

    #[test]
    fn what_is_too_much_is_one_line_with_its_causes() {
        let rate = Some(LineRate { lines: 3, period: Duration::from_secs(1) });
        let text = shown("text", Bounds { rate, interval: None });
        assert_eq!(lines(&text, "203.0.113.80").len(), 4, "{text}");
        assert!(text.contains(" 7 more lines left out (--max-lines): 7 port out of range\n"), "{text}");
        let json = shown("json", Bounds { rate, interval: None });
        assert_eq!(lines(&json, r#""kind":"retransmit""#).len(), 4, "{json}");
        assert!(json.contains(r#""lines":7,"by_cause":{"port_out_of_range":7}"#), "{json}");
        assert_eq!([text.matches("left out").count(), json.matches("left_out").count()], [1; 2], "{text}{json}");
    }

    #[test]
    fn what_was_left_out_last_is_reported_before_the_summary() {
        let rate = Some(LineRate { lines: 3, period: Duration::from_secs(1) });
        let text = shown_with("text", Bounds { rate, interval: None }, 5);
        let (left_out, summary) = (text.rfind("2 more lines left out"), text.find("\nattempts "));
        assert!(left_out.is_some() && left_out < summary, "{text}");
    }

    #[test]
    fn an_interval_has_the_counts_of_what_happened_in_it() {
        let interval = Some(Duration::from_secs(2));
        let text = shown("text", Bounds { rate: None, interval });
        let counts = " node7 last 2 s: 0 attempts ended, 1 open, 1 retransmitted, 1 flagged: 1 port out of range\n";
        assert!(text.contains(counts), "{text}");
        let json = shown("json", Bounds { rate: None, interval });
        assert_eq!([text.matches(" last ").count(), json.matches(r#""kind":"interval""#).count()], [1; 2], "{json}");
        assert!(json.contains(r#""node":"node7","seconds":2.0,"#), "{json}");
        assert!(json.contains(r#""flagged_attempts":1,"retransmits":1,"#), "{json}");
    }

    #[test]
    fn without_bounds_every_line_is_shown() {
        assert_eq!(lines(&shown("text", Bounds::default()), "203.0.113.80").len(), 11);
    }
}
