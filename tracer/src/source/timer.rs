//! A timer of the kernel's. Tokio's own rounds to the slots of its wheel and wakes up once more on the way.

use std::os::fd::{AsFd as _, AsRawFd, RawFd};
use std::time::Duration;

use anyhow::Context as _;
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use tokio::io::unix::AsyncFd;

/// Rings once after it was set.
pub(super) struct Timer(AsyncFd<Fd>);

struct Fd(TimerFd);

impl AsRawFd for Fd {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

impl Timer {
    pub(super) fn new() -> anyhow::Result<Self> {
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC);
        let timer = timer.context("cannot make a timer")?;
        // SAFETY: the descriptor is the timer's own, open and the same as long as it lives.
        let timer = unsafe { AsyncFd::register(Fd(timer)) };
        Ok(Self(timer.context("cannot wait for a timer")?))
    }

    /// Rings after this long, and not at what it was set to before.
    pub(super) fn set(&self, after: Duration) -> anyhow::Result<()> {
        // Zero would switch it off.
        let after = TimeSpec::from_duration(after.max(Duration::from_nanos(1)));
        let set = self.0.get_ref().0.set(Expiration::OneShot(after), TimerSetTimeFlags::empty());
        set.context("cannot set a timer")
    }

    pub(super) async fn ring(&self) -> anyhow::Result<()> {
        self.0.readable().await.context("cannot wait for a timer")?.clear_ready();
        Ok(())
    }
}
