//! A part of a capture.

use super::{Capture, Clock};

/// From when until when, as RFC 3339 with the node's offset; `None` where the capture begins or ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Period {
    /// When it begins.
    pub from: Option<String>,
    /// When it ends.
    pub until: Option<String>,
}

impl Period {
    /// Between these times since boot.
    pub fn of(capture: &Capture, since_ns: Option<u64>, until_ns: Option<u64>) -> Self {
        let clock = Clock::new(&[capture], false);
        let text = |time_ns: Option<u64>| clock.rfc3339_of_unix(Clock::unix_ns(capture, time_ns?));
        Self { from: text(since_ns), until: text(until_ns) }
    }

    /// For the head of a sentence, with a comma; empty for all of a capture.
    pub fn words(&self) -> String {
        let [from, until] = [&self.from, &self.until].map(|time| time.as_deref().map(whole_seconds));
        match (from, until) {
            (None, None) => String::new(),
            (None, Some(until)) => format!(", until {until}"),
            (Some(from), None) => format!(", from {from} on"),
            (Some(from), Some(until)) => format!(", from {from} until {until}"),
        }
    }
}

/// Without a fraction of a second, which says nothing of a change that is known to a few attempts.
fn whole_seconds(time: &str) -> String {
    let (seconds, rest) = time.split_once('.').unwrap_or((time, ""));
    format!("{seconds}{}", rest.trim_start_matches(|letter: char| letter.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::example;

    #[test]
    fn a_part_is_named_by_its_ends_and_all_of_a_capture_by_nothing() {
        let capture = example::capture("node7");
        let words = |since_ns, until_ns| Period::of(&capture, since_ns, until_ns).words();
        assert_eq!(words(None, None), "");
        assert_eq!(words(None, Some(1_500_000_000)), ", until 2026-03-01T02:00:01+02:00");
        assert_eq!(words(Some(1_500_000_000), None), ", from 2026-03-01T02:00:01+02:00 on");
    }
}
