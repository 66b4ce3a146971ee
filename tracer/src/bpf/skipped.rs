//! How often the kernel ran none of our programs where it should have, because another program ran on that CPU.

use std::fs::File;
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::os::unix::fs::FileExt as _;

use aya::Ebpf;

/// How often to ask: it costs a read for each program.
const EVERY_NS: u64 = 250_000_000;

/// The kernel returns it for a program's descriptor.
#[derive(Default)]
pub(super) struct Skipped {
    programs: Vec<File>,
    next_ns: u64,
    count: u64,
}

impl Skipped {
    /// Those of all programs that are loaded.
    pub(super) fn of(ebpf: &Ebpf) -> Self {
        let fds = ebpf.programs().filter_map(|(_, program)| program.fd().ok());
        let info = |fd| File::open(format!("/proc/self/fdinfo/{fd}")).ok();
        Self { programs: fds.filter_map(|fd| info(fd.as_fd().as_raw_fd())).collect(), ..Self::default() }
    }

    /// How often since they were loaded, as of the last time it was asked; 0 where the kernel does not count them.
    pub(super) fn count(&mut self, time_ns: u64, is_last: bool) -> u64 {
        if time_ns >= self.next_ns || is_last {
            self.next_ns = time_ns + EVERY_NS;
            self.count = self.programs.iter().filter_map(misses).sum();
        }
        self.count
    }
}

fn misses(info: &File) -> Option<u64> {
    let mut bytes = [0; 512];
    let len = info.read_at(&mut bytes, 0).ok()?;
    parse(std::str::from_utf8(bytes.get(..len)?).ok()?)
}

fn parse(info: &str) -> Option<u64> {
    info.lines().find_map(|line| line.strip_prefix("recursion_misses:"))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn misses_are_found_where_the_kernel_tells_them() {
        let info =
            "pos:\t0\nflags:\t02000002\nprog_type:\t17\nrun_cnt:\t0\nrecursion_misses:\t12\nverified_insns:\t9\n";
        assert_eq!(parse(info), Some(12));
        assert_eq!(parse("pos:\t0\nprog_type:\t17\n"), None);
    }
}
