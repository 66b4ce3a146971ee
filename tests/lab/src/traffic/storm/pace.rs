//! When the next connection of a storm is due.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

/// Connections of a fiftieth of a second.
const MAX_BACKLOG: u64 = 50;

/// At once, or evenly spread over time.
pub(super) struct Pace {
    even: Option<Even>,
}

struct Even {
    timer: TimerFd,
    rate: u32,
    start: Instant,
    begun: u64,
}

impl Pace {
    /// With a rate, a timer fires for each connection; without a rate, connections are always due.
    pub(super) fn new(rate: Option<u32>) -> Result<Self> {
        Ok(Self { even: rate.map(Even::new).transpose()? })
    }

    pub(super) fn timer(&self) -> Option<BorrowedFd<'_>> {
        self.even.as_ref().map(|even| even.timer.as_fd())
    }

    /// How many are due by now.
    pub(super) fn due(&mut self) -> u64 {
        self.even.as_mut().map_or(u64::MAX, |even| even.owed(even.start.elapsed()))
    }

    /// The timer fires again only after it was read.
    pub(super) fn tick(&self) {
        if let Some(even) = &self.even {
            // Fails where there is nothing to read: the timer fires again.
            let _ = even.timer.wait();
        }
    }

    pub(super) fn begun(&mut self) {
        if let Some(even) = &mut self.even {
            even.begun += 1;
        }
    }
}

impl Even {
    /// Limits the burst after a stall, which would overflow the packet queues.
    fn owed(&mut self, elapsed: Duration) -> u64 {
        let due = due_after(elapsed, self.rate);
        self.begun = self.begun.max(due.saturating_sub(u64::from(self.rate) / MAX_BACKLOG));
        due - self.begun.min(due)
    }

    fn new(rate: u32) -> Result<Self> {
        let timer =
            TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK).context("cannot create a timer")?;
        let period = TimeSpec::from_duration(Duration::from_secs(1) / rate.max(1));
        timer.set(Expiration::Interval(period), TimerSetTimeFlags::empty()).context("cannot set the timer")?;
        Ok(Self { timer, rate, start: Instant::now(), begun: 0 })
    }
}

fn due_after(elapsed: Duration, rate: u32) -> u64 {
    u64::try_from(elapsed.as_nanos() * u128::from(rate) / 1_000_000_000).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

    use super::*;

    #[test]
    fn an_even_pace_owes_its_rate() {
        assert_eq!(due_after(Duration::from_millis(250), 4000), 1000);
        assert_eq!(due_after(Duration::from_secs(3600), 1), 3600);
    }

    #[test]
    fn without_a_rate_connections_are_always_due() {
        assert_eq!(Pace { even: None }.due(), u64::MAX);
    }

    #[test]
    fn a_stall_is_made_up_for_in_part_only() {
        let mut even = Even::new(1000).unwrap();
        assert_eq!(even.owed(Duration::from_secs(10)), 20);
        even.begun += 20;
        assert_eq!(even.owed(Duration::from_millis(10_005)), 5);
    }

    #[test]
    fn the_timer_fires_again_after_each_tick() {
        let pace = Pace::new(Some(5)).unwrap();
        let fires = |longest: u16| {
            let mut polled = [PollFd::new(pace.timer().unwrap(), PollFlags::POLLIN)];
            poll(&mut polled, PollTimeout::from(longest)).unwrap() == 1
        };
        for _ in 0..3 {
            assert!(fires(10_000));
            pace.tick();
            assert!(!fires(0));
        }
    }
}
