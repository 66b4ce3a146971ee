//! From an event's time to the wall clock. Pure arithmetic: nothing here reads a clock or a time zone database.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::fmt::temporal::DateTimePrinter;
use jiff::tz::Offset;

use super::Capture;

const DAY_S: i64 = 86_400;

/// By how many seconds a time namespace shifts the time since boot, as /proc/self/timens_offsets has it: `boottime  86400  0`.
pub fn boot_offset_s(offsets: &str) -> i64 {
    let line = offsets.lines().find_map(|line| line.trim_start().strip_prefix("boottime"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}

/// How event times are shown: with one fixed offset from UTC for a whole run, so that a replay elsewhere shows the same.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    offset: Offset,
    utc: bool,
}

impl Clock {
    /// The node's own offset; UTC on request, and where merged captures come from nodes with different offsets.
    pub fn new(captures: &[&Capture], utc: bool) -> Self {
        let offset = captures.first().and_then(|first| Offset::from_seconds(first.utc_offset_s).ok());
        let agree = captures.windows(2).all(|pair| pair[0].utc_offset_s == pair[1].utc_offset_s);
        match offset {
            Some(offset) if agree && !utc => Self { offset, utc: false },
            Some(_) | None => Self { offset: Offset::UTC, utc: true },
        }
    }

    /// Nanoseconds since 1970 UTC.
    pub fn unix_ns(capture: &Capture, time_ns: u64) -> i128 {
        i128::from(capture.boot_unix_ns) + i128::from(time_ns)
    }

    /// Microseconds since 1970 UTC; `None` for a time that no calendar has.
    pub fn unix_us(capture: &Capture, time_ns: u64) -> Option<i64> {
        timestamp(capture, time_ns).map(Timestamp::as_microsecond)
    }

    /// Appends RFC 3339 with microseconds. False, and nothing appended, for a time that no calendar has.
    pub fn rfc3339(&self, capture: &Capture, time_ns: u64, out: &mut String) -> bool {
        timestamp(capture, time_ns).is_some_and(|timestamp| self.print(timestamp, out))
    }

    /// The same for nanoseconds since 1970 UTC.
    pub fn rfc3339_of_unix(&self, unix_ns: i128) -> Option<String> {
        let mut text = String::new();
        let timestamp = Timestamp::from_nanosecond(unix_ns).ok()?;
        self.print(timestamp, &mut text).then_some(text)
    }

    fn print(&self, timestamp: Timestamp, out: &mut String) -> bool {
        let printer = DateTimePrinter::new().precision(Some(6));
        let printed = if self.utc {
            printer.print_timestamp(&timestamp, out)
        } else {
            printer.print_timestamp_with_offset(&timestamp, self.offset, out)
        };
        printed.is_ok()
    }

    /// Date and time of day where the capture was taken; `None` for a time that no calendar has.
    pub fn wall(&self, capture: &Capture, time_ns: u64) -> Option<DateTime> {
        timestamp(capture, time_ns).map(|timestamp| self.offset.to_datetime(timestamp))
    }

    /// As `wall`, without a calendar: days since 1970, and time of that day.
    pub fn day_and_time(&self, capture: &Capture, time_ns: u64) -> (i64, Duration) {
        const SECOND: i128 = 1_000_000_000;
        let unix_ns = Self::unix_ns(capture, time_ns);
        // Nearly all times fit, and a division of 128 bits is a call.
        let (seconds, ns) = match i64::try_from(unix_ns) {
            Ok(unix_ns) => (unix_ns.div_euclid(SECOND as i64), unix_ns.rem_euclid(SECOND as i64)),
            Err(_) => (unix_ns.div_euclid(SECOND) as i64, unix_ns.rem_euclid(SECOND) as i64),
        };
        let seconds = seconds + i64::from(self.offset.seconds());
        let time = Duration::new(seconds.rem_euclid(DAY_S).cast_unsigned(), ns as u32);
        (seconds.div_euclid(DAY_S), time)
    }

    /// As `wall`, for a time in nanoseconds since 1970.
    pub fn at(&self, unix_ns: i128) -> Option<DateTime> {
        Timestamp::from_nanosecond(unix_ns).ok().map(|timestamp| self.offset.to_datetime(timestamp))
    }

    /// Heading for the lines of one day, such as `2026-03-01, UTC+02:00`.
    pub fn day(&self, date: Date) -> impl std::fmt::Display + use<> {
        let zone = self.zone();
        std::fmt::from_fn(move |f| write!(f, "{date}, {zone}"))
    }

    /// `UTC` or `UTC+02:00`.
    pub fn zone(&self) -> impl std::fmt::Display + use<> {
        let minutes = self.offset.seconds() / 60;
        let sign = if minutes < 0 { '-' } else { '+' };
        let (hours, minutes) = (minutes.abs() / 60, minutes.abs() % 60);
        let utc = self.utc;
        std::fmt::from_fn(move |f| if utc { f.write_str("UTC") } else { write!(f, "UTC{sign}{hours:02}:{minutes:02}") })
    }
}

fn timestamp(capture: &Capture, time_ns: u64) -> Option<Timestamp> {
    Timestamp::from_nanosecond(Clock::unix_ns(capture, time_ns)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::example;

    fn rfc3339(captures: &[&Capture], utc: bool, time_ns: u64) -> String {
        let mut text = String::new();
        assert!(Clock::new(captures, utc).rfc3339(captures[0], time_ns, &mut text));
        text
    }

    #[test]
    fn a_time_is_shown_as_the_node_saw_it() {
        let node = example::capture("node7");
        assert_eq!(rfc3339(&[&node], false, 1_234_567_899), "2026-03-01T02:00:01.234567+02:00");
        let wall = Clock::new(&[&node], false).wall(&node, 1_234_567_899).unwrap();
        assert_eq!((wall.hour(), wall.second(), wall.millisecond()), (2, 1, 234));
    }

    #[test]
    fn day_and_time_are_those_of_the_calendar() {
        let boots = [i64::MIN, -86_400_000_000_001, -1, 0, 1_772_323_200_123_456_789, i64::MAX];
        for (boot_unix_ns, utc_offset_s) in boots.into_iter().flat_map(|boot| [(boot, -12600), (boot, 0), (boot, 7200)])
        {
            let node = Capture { boot_unix_ns, utc_offset_s, ..example::capture("node7") };
            let clock = Clock::new(&[&node], false);
            for time_ns in [0, 999_999_999, 86_399_999_999_999, 1 << 62, u64::MAX] {
                let wall = clock.wall(&node, time_ns).unwrap();
                let (day, time) = clock.day_and_time(&node, time_ns);
                let epoch = Date::constant(1970, 1, 1);
                assert_eq!(i64::from((wall.date() - epoch).get_days()), day, "{wall}");
                let of_day = wall.duration_since(wall.date().into());
                assert_eq!(Duration::try_from(of_day).unwrap(), time, "{wall}");
            }
        }
    }

    #[test]
    fn utc_is_shown_on_request() {
        assert_eq!(rfc3339(&[&example::capture("node7")], true, 0), "2026-03-01T00:00:00.000000Z");
    }

    #[test]
    fn nodes_in_different_zones_are_shown_in_utc() {
        let east = example::capture("east");
        let west = Capture { utc_offset_s: -18000, ..example::capture("west") };
        assert_eq!(rfc3339(&[&east, &west], false, 0), "2026-03-01T00:00:00.000000Z");
        assert_eq!(rfc3339(&[&west, &west], false, 0), "2026-02-28T19:00:00.000000-05:00");
    }

    #[test]
    fn a_time_beyond_the_calendar_is_unknown_and_no_panic() {
        let broken = Capture { boot_unix_ns: i64::MAX, utc_offset_s: i32::MIN, ..example::capture("broken") };
        let clock = Clock::new(&[&broken], false);
        assert!(clock.wall(&broken, u64::MAX).is_some());
        let before = Capture { boot_unix_ns: i64::MIN, ..example::capture("broken") };
        assert!(clock.wall(&before, 0).is_some_and(|wall| wall.year() < 1970));
    }

    #[test]
    fn a_day_names_its_offset() {
        let node = Capture { utc_offset_s: -12600, ..example::capture("node7") };
        let date = Clock::new(&[&node], false).wall(&node, 0).unwrap().date();
        assert_eq!(Clock::new(&[&node], false).day(date).to_string(), "2026-02-28, UTC-03:30");
        assert_eq!(Clock::new(&[&node], true).day(date).to_string(), "2026-02-28, UTC");
    }
}
