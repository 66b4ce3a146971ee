//! What the machine and its processes have used so far, from /proc.

use std::fs;
use std::time::Instant;

use anyhow::{Context, Result};

/// CPU time of the whole machine that was not idle, at one moment.
#[derive(Clone, Copy)]
pub struct Busy {
    at: Instant,
    /// The kernel takes idle time at each change, so it is exact where user and system time are sampled at ticks.
    idle_ns: u64,
    /// Taken away by the hypervisor.
    steal_ns: u64,
    cpus: u64,
}

/// `USER_HZ`, 100 on every architecture that Debian knows.
const TICK_NS: u64 = 10_000_000;

impl Busy {
    pub fn now() -> Result<Self> {
        let text = fs::read_to_string("/proc/stat").context("reading /proc/stat")?;
        let cpus = text.lines().filter(|line| line.starts_with("cpu")).count().saturating_sub(1) as u64;
        let total = text.lines().next().context("/proc/stat is empty")?;
        let ticks: Vec<u64> = total.split_whitespace().skip(1).filter_map(|field| field.parse().ok()).collect();
        let field = |index: usize| ticks.get(index).copied().unwrap_or(0) * TICK_NS;
        Ok(Self { at: Instant::now(), idle_ns: field(3) + field(4), steal_ns: field(7), cpus })
    }

    /// CPU time since then, in nanoseconds.
    pub fn since(&self, earlier: &Self) -> f64 {
        let elapsed = (self.at - earlier.at).as_nanos() as f64 * self.cpus as f64;
        let unused = (self.idle_ns - earlier.idle_ns) + (self.steal_ns - earlier.steal_ns);
        (elapsed - unused as f64).max(0.0)
    }
}

/// What the threads of a process have done so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Used {
    pub cpu_ns: u64,
    /// Times that a thread slept of its own will: each is followed by a wake-up.
    pub sleeps: u64,
}

/// Nothing for a process that has ended.
pub fn used(pid: u32) -> Used {
    let mut used = Used::default();
    for task in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
        let read = |file: &str| fs::read_to_string(task.path().join(file)).unwrap_or_default();
        used.cpu_ns += read("schedstat").split_whitespace().next().and_then(|ns| ns.parse().ok()).unwrap_or(0);
        used.sleeps += field(&read("status"), "voluntary_ctxt_switches:").unwrap_or(0);
    }
    used
}

/// The kernel's threads that handle packets when the processes that caused them are not running.
pub fn packet_threads() -> Vec<u32> {
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let is_one =
        |pid: &u32| fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.starts_with("ksoftirqd"));
    pids.filter(is_one).collect()
}

/// The most memory that a process ever held, in KiB.
pub fn peak_kib(pid: u32) -> Option<u64> {
    field(&fs::read_to_string(format!("/proc/{pid}/status")).ok()?, "VmHWM:")
}

fn field(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_process_that_works_uses_cpu_time() {
        let before = used(std::process::id());
        let begin = Instant::now();
        while begin.elapsed().as_millis() < 20 {}
        assert!(used(std::process::id()).cpu_ns > before.cpu_ns);
    }

    #[test]
    fn fields_of_a_status_are_found_by_their_whole_name() {
        let status =
            "VmPeak:\t 9 kB\nVmHWM:\t   1234 kB\nnonvoluntary_ctxt_switches:\t7\nvoluntary_ctxt_switches:\t5\n";
        assert_eq!(field(status, "VmHWM:"), Some(1234));
        assert_eq!(field(status, "voluntary_ctxt_switches:"), Some(5));
    }
}
