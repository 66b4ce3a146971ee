//! Idle and stolen CPU time of the machine, from which the cost of a storm to the whole machine follows.
//!
//! The kernel accounts idle time at each change, so idle time is exact where user and system time are sampled at ticks.

use std::fs;
use std::sync::LazyLock;

use nix::unistd::{SysconfVar, sysconf};

/// Since boot, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Unused {
    /// Idle, or waiting for a disk.
    pub(super) idle_ns: u64,
    /// Taken away by the hypervisor.
    pub(super) steal_ns: u64,
    /// Number of processors.
    pub(super) cpus: u64,
}

static TICK_NS: LazyLock<u64> = LazyLock::new(|| {
    let hz = sysconf(SysconfVar::CLK_TCK).ok().flatten().and_then(|hz| u64::try_from(hz).ok()).unwrap_or(100);
    1_000_000_000 / hz.max(1)
});

impl Unused {
    /// The values now; 0 where /proc cannot be read.
    pub(super) fn now() -> Self {
        fs::read_to_string("/proc/stat").map(|text| Self::parse(&text, *TICK_NS)).unwrap_or_default()
    }

    fn parse(text: &str, tick_ns: u64) -> Self {
        let lines = text.lines().take_while(|line| line.starts_with("cpu"));
        let cpus = lines.skip(1).count() as u64;
        let total: Vec<u64> = text.split_whitespace().skip(1).map_while(|field| field.parse().ok()).collect();
        // user nice system idle iowait irq softirq steal
        let field = |index: usize| total.get(index).copied().unwrap_or(0) * tick_ns;
        Self { idle_ns: field(3) + field(4), steal_ns: field(7), cpus }
    }

    /// The difference since `self`.
    pub(super) fn since(&self, earlier: &Self) -> Self {
        Self {
            idle_ns: self.idle_ns.saturating_sub(earlier.idle_ns),
            steal_ns: self.steal_ns.saturating_sub(earlier.steal_ns),
            cpus: self.cpus,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_time_is_that_of_the_whole_machine() {
        let text = "cpu  10 0 20 300 5 0 1 7 0 0\ncpu0 5 0 10 150 3 0 1 3 0 0\ncpu1 5 0 10 150 2 0 0 4 0 0\nintr 1 2\n";
        assert_eq!(Unused::parse(text, 10), Unused { idle_ns: 3050, steal_ns: 70, cpus: 2 });
    }

    #[test]
    fn an_idle_machine_has_more_idle_time_later() {
        let earlier = Unused { idle_ns: 100, steal_ns: 5, cpus: 2 };
        let later = Unused { idle_ns: 400, steal_ns: 5, cpus: 2 };
        assert_eq!(later.since(&earlier), Unused { idle_ns: 300, steal_ns: 0, cpus: 2 });
    }
}
