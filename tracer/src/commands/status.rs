//! A line on the terminal below what a live capture writes: how much failed in the last minute.

use std::collections::VecDeque;
use std::io::{self, IsTerminal as _, LineWriter, Write};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::model::{EndedAttempt, percent};
use crate::notice;
use crate::outputs::{Moment, Observer};
use crate::tally::Progress;

const WINDOW_NS: u64 = 60 * 1_000_000_000;
const SAMPLES: u64 = 60;
const DRAWS_PER_SECOND: u8 = 2;

/// Shown until this is dropped.
pub(super) struct Status {
    bar: ProgressBar,
    /// Counts of the last minute, oldest first.
    past: VecDeque<(u64, Progress)>,
}

impl Status {
    /// Shows the line where standard error is a terminal.
    pub(super) fn start() -> Option<Self> {
        if !io::stderr().is_terminal() {
            return None;
        }
        let style = ProgressStyle::with_template("{wide_msg}").unwrap_or_else(|_| ProgressStyle::default_spinner());
        let target = ProgressDrawTarget::stderr_with_hz(DRAWS_PER_SECOND);
        let bar = ProgressBar::with_draw_target(None, target).with_style(style);
        notice::make_room_in(Some(bar.clone()));
        Some(Self { bar, past: VecDeque::new() })
    }

    /// Standard output, which may be the same terminal.
    pub(super) fn stdout(&self) -> Box<dyn Write> {
        if io::stdout().is_terminal() {
            Box::new(LineWriter::new(Above { bar: self.bar.clone() }))
        } else {
            Box::new(io::stdout())
        }
    }

    fn counts(&mut self, now_ns: u64, now: &Progress) -> Progress {
        if self.past.back().is_none_or(|(at_ns, _)| now_ns.saturating_sub(*at_ns) >= WINDOW_NS / SAMPLES) {
            self.past.push_back((now_ns, *now));
        }
        while self.past.len() > 1 && self.past.get(1).is_some_and(|(at_ns, _)| at_ns + WINDOW_NS <= now_ns) {
            self.past.pop_front();
        }
        self.past.front().map_or_else(Progress::default, |(_, before)| now.since(before))
    }
}

impl Observer for Status {
    fn ended(&mut self, _: &EndedAttempt<'_>) -> io::Result<()> {
        Ok(())
    }

    fn tick(&mut self, moment: &Moment<'_>) {
        let counts = self.counts(moment.tick.time_ns, moment.progress);
        let lost = moment.progress.lost_total();
        let words = words(&counts, moment.tick.open, lost, moment.is_blind);
        if self.bar.message() != words {
            self.bar.set_message(words);
        }
    }
}

impl Drop for Status {
    fn drop(&mut self) {
        notice::make_room_in(None);
        self.bar.finish_and_clear();
    }
}

/// An attempt whose SYN was retransmitted in the last minute has ended in it or is open still.
fn words(counts: &Progress, open: u64, lost: u64, is_blind: bool) -> String {
    let (attempts, retransmitted, flagged) = (counts.attempts + open, counts.retransmitted, counts.flagged);
    let share = percent(retransmitted, attempts).unwrap_or(0.0);
    let lost = if lost > 0 { format!(", {lost} events LOST") } else { String::new() };
    let blind = if is_blind { ", NO INTERFACE WATCHED" } else { "" };
    format!(
        "last 60 s: {retransmitted} of {attempts} attempts retransmitted ({share:.1} %), {flagged} flagged{lost}{blind}"
    )
}

/// Writes whole lines above the status line.
struct Above {
    bar: ProgressBar,
}

impl Write for Above {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bar.suspend(|| io::stdout().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stdout().flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_about_the_last_minute() {
        let mut status = Status { bar: ProgressBar::hidden(), past: VecDeque::new() };
        let mut progress = Progress::default();
        for second in 0..300 {
            progress.attempts += 10;
            progress.retransmitted += u64::from(second >= 270);
            let counts = status.counts(second * 1_000_000_000, &progress);
            assert!(status.past.len() <= 62 && counts.attempts <= 610, "{counts:?}");
        }
        let counts = status.counts(300 * 1_000_000_000, &progress);
        assert_eq!(words(&counts, 10, 0, false), "last 60 s: 30 of 600 attempts retransmitted (5.0 %), 0 flagged");
        assert!(words(&counts, 0, 3, true).ends_with(", 3 events LOST, NO INTERFACE WATCHED"));
    }
}
