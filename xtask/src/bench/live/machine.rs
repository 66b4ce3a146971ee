//! What processes have used so far, from /proc.

use std::fs;

/// Of all threads of a process.
#[derive(Clone, Copy, Debug, Default)]
pub struct Used {
    pub cpu_ns: u64,
    /// Voluntary context switches: each is followed by a wake-up.
    pub sleeps: u64,
}

/// Zero for a process that has ended.
pub fn used(pid: u32) -> Used {
    let mut used = Used::default();
    for task in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
        let read = |file: &str| fs::read_to_string(task.path().join(file)).unwrap_or_default();
        used.cpu_ns += read("schedstat").split_whitespace().next().and_then(|ns| ns.parse().ok()).unwrap_or(0);
        used.sleeps += field(&read("status"), "voluntary_ctxt_switches:").unwrap_or(0);
    }
    used
}

/// The kernel's threads that handle packets when the processes that caused them do not run.
pub fn packet_threads() -> Vec<u32> {
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let is_one =
        |pid: &u32| fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.starts_with("ksoftirqd"));
    pids.filter(is_one).collect()
}

/// The most memory that a process ever held.
pub fn peak_kib(pid: u32) -> Option<u64> {
    field(&fs::read_to_string(format!("/proc/{pid}/status")).ok()?, "VmHWM:")
}

fn field(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}
