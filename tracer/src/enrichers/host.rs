//! Reads the node's files: `/proc` and directories, below the root of the host. What it cannot read is not known.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use nix::unistd::{SysconfVar, sysconf};

/// Entries of a directory that are looked at.
const MAX_DIRECTORY_ENTRIES: usize = 65_536;

/// The host's file system.
#[derive(Clone, Debug)]
pub struct Host {
    root: PathBuf,
    ticks_per_second: u64,
}

impl Host {
    /// The file system below this directory; `/` unless a container has it mounted elsewhere.
    #[must_use]
    pub fn new(root: &Path) -> Self {
        let ticks = sysconf(SysconfVar::CLK_TCK).ok().flatten().and_then(|ticks| u64::try_from(ticks).ok());
        Self { root: root.to_owned(), ticks_per_second: ticks.filter(|&ticks| ticks > 0).unwrap_or(100) }
    }

    /// Where a file of the host is.
    pub(super) fn path(&self, path: &Path) -> PathBuf {
        self.root.join(path)
    }

    /// All processes.
    pub(super) fn processes(&self) -> impl Iterator<Item = u32> {
        self.names(Path::new("proc")).filter_map(|name| name.parse().ok())
    }

    /// Inode number of the process's network namespace.
    pub(super) fn netns(&self, process: u32) -> Option<u32> {
        let link = fs::read_link(self.path(&self.of(process, "ns/net"))).ok()?;
        link.to_str()?.strip_prefix("net:[")?.strip_suffix(']')?.parse().ok()
    }

    /// When the process was started, nanoseconds since boot; rounded down, to 10 ms as a rule.
    pub(super) fn started_ns(&self, process: u32) -> Option<u64> {
        let ticks = start_ticks(&self.text(&self.of(process, "stat"), 4096)?)?;
        Some(ticks.checked_mul(1_000_000_000)? / self.ticks_per_second)
    }

    /// What the process's `cgroup` file says.
    pub(super) fn cgroup(&self, process: u32) -> Option<String> {
        self.text(&self.of(process, "cgroup"), 64 << 10)
    }

    /// Names in a directory.
    pub(super) fn names(&self, directory: &Path) -> impl Iterator<Item = String> {
        let entries = fs::read_dir(self.path(directory)).into_iter().flatten().flatten();
        entries.take(MAX_DIRECTORY_ENTRIES).filter_map(|entry| entry.file_name().into_string().ok())
    }

    /// When a directory was changed last.
    pub(super) fn changed(&self, directory: &Path) -> Option<SystemTime> {
        let metadata = fs::metadata(self.path(directory)).ok()?;
        metadata.is_dir().then(|| metadata.modified().ok()).flatten()
    }

    /// A file's text; none if it is longer. A process may give itself a name that is no UTF-8.
    pub(super) fn text(&self, path: &Path, most: u64) -> Option<String> {
        let mut bytes = Vec::new();
        let read = File::open(self.path(path)).ok()?.take(most + 1).read_to_end(&mut bytes).ok()?;
        (read as u64 <= most).then(|| String::from_utf8_lossy(&bytes).into_owned())
    }

    fn of(&self, process: u32, file: &str) -> PathBuf {
        Path::new("proc").join(process.to_string()).join(file)
    }
}

/// Field 22 of `/proc/PID/stat`; the name before, in parentheses, may hold anything.
fn start_ticks(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_of_a_process_is_read_whatever_its_name_is() {
        let fields = "S 1 1 1 0 -1 4194560 100 0 0 0 1 2 0 0 20 0 1 0 123456 1000 200";
        for name in ["sh", "a) S 9 9", ") (", "\u{1b}[31m"] {
            assert_eq!(start_ticks(&format!("77 ({name}) {fields}")), Some(123_456), "{name}");
        }
        for wrong in ["", "77 (sh", "77 (sh) S 1 1", "77 (sh) S 1 1 1 0 -1 4194560 100 0 0 0 1 2 0 0 20 0 1 0 x 1"] {
            assert_eq!(start_ticks(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn this_process_has_a_namespace_and_a_start() {
        let (host, own) = (Host::new(Path::new("/")), std::process::id());
        assert!(host.netns(own).is_some_and(|netns| netns > 0));
        assert!(host.started_ns(own).is_some_and(|started_ns| started_ns > 0));
        assert!(host.processes().any(|process| process == own));
        assert_eq!((host.netns(u32::MAX), host.started_ns(u32::MAX)), (None, None));
    }
}
