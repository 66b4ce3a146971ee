//! Reads the node's files: `/proc` and directories, below the root of the host. What it cannot read is not known.

use std::fs::{self, File};
use std::io::Read as _;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat, openat2, readlinkat};
use nix::sys::stat::Mode;
use nix::unistd::{SysconfVar, sysconf};
use tracer_common::events::COMMAND_BYTES;

/// Entries of a directory that are looked at.
const MAX_ENTRIES: usize = 65_536;
/// Where the control groups of the host are mounted.
const CGROUPS: &str = "sys/fs/cgroup";

/// The host's file system. No name below its root leads outside of it, whatever links a container made there.
#[derive(Clone, Debug)]
pub struct Host {
    root: PathBuf,
    /// None where it cannot be opened.
    directory: Option<Arc<OwnedFd>>,
    /// Its /proc, likewise.
    proc: Option<Arc<OwnedFd>>,
    /// Whom the root directory belongs to, and so what the system itself makes: user 0 on a real host.
    owner: u32,
    ticks_per_second: u64,
    /// What sockets are mounted as, in `fdinfo`.
    socket_mount: Option<u32>,
}

impl Host {
    /// The file system below this directory; `/` unless a container has it mounted elsewhere.
    pub fn new(root: &Path) -> Self {
        let ticks = sysconf(SysconfVar::CLK_TCK).ok().flatten().and_then(|ticks| u64::try_from(ticks).ok());
        let owner = fs::metadata(root).map_or(0, |metadata| metadata.uid());
        let open = |path: &Path| File::open(path).ok().map(|file| Arc::new(file.into()));
        let (directory, proc) = (open(root), open(&root.join("proc")));
        let ticks_per_second = ticks.filter(|&ticks| ticks > 0).unwrap_or(100);
        let socket_mount = socket_mount();
        Self { root: root.to_owned(), directory, proc, owner, ticks_per_second, socket_mount }
    }

    /// Where a file of the host is, for messages.
    pub(super) fn path(&self, path: &Path) -> PathBuf {
        self.root.join(path)
    }

    /// All processes.
    pub(super) fn processes(&self) -> impl Iterator<Item = u32> {
        let located = locate(self.proc.as_ref(), Path::new("."), OFlag::O_DIRECTORY);
        names(located).filter_map(|name| name.parse().ok())
    }

    /// Inode number of the process's network namespace.
    pub(super) fn netns(&self, process: u32) -> Option<u32> {
        let link = locate(self.proc.as_ref(), &of(process, "ns/net"), OFlag::O_NOFOLLOW)?;
        let link = readlinkat(&link.0, "").ok()?;
        link.to_str()?.strip_prefix("net:[")?.strip_suffix(']')?.parse().ok()
    }

    /// When the process was started, nanoseconds since boot; rounded down, to 10 ms as a rule.
    pub(super) fn started_ns(&self, process: u32) -> Option<u64> {
        let ticks = start_ticks(&self.process_text(process, "stat", 4096)?)?;
        Some(ticks.checked_mul(1_000_000_000)? / self.ticks_per_second)
    }

    /// The name that the process gives itself; zero beyond its end.
    pub(super) fn command(&self, process: u32) -> Option<[u8; COMMAND_BYTES]> {
        let bytes = locate(self.proc.as_ref(), &of(process, "comm"), OFlag::empty())?.bytes(4096)?;
        let name = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
        let mut command = [0; COMMAND_BYTES];
        command.iter_mut().zip(name).for_each(|(to, from)| *to = *from);
        Some(command)
    }

    /// Of each file that the process has open: the number of its socket, if it is one.
    ///
    /// `fd` is for the process's user; `fdinfo` (from 5.14) for whom ptrace lets look at it.
    pub(super) fn sockets(&self, process: u32) -> impl Iterator<Item = Option<u32>> {
        let links = self.open_files(process, "fd");
        let (directory, entries) = links.or_else(|| self.open_files(process, "fdinfo")).unzip();
        let is_link = directory.as_ref().is_some_and(|(_, name)| *name == "fd");
        let socket_mount = self.socket_mount;
        entries.into_iter().flatten().map(move |entry| {
            let (directory, name) = (&directory.as_ref()?.0, entry.ok()?.file_name());
            if is_link {
                let link = readlinkat(&directory.0, name.as_os_str()).ok()?;
                return link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok();
            }
            let info =
                Located(openat(&directory.0, name.as_os_str(), OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty()).ok()?);
            let info = info.text(4096)?;
            (field(&info, "mnt_id:") == Some(socket_mount?)).then(|| field(&info, "ino:"))?
        })
    }

    fn open_files(&self, process: u32, name: &'static str) -> Option<((Located, &'static str), fs::ReadDir)> {
        let directory = locate(self.proc.as_ref(), &of(process, name), OFlag::O_DIRECTORY)?;
        let entries = fs::read_dir(directory.reopening()).ok()?;
        Some(((directory, name), entries))
    }

    /// What the process's `cgroup` file says.
    pub(super) fn cgroup(&self, process: u32) -> Option<String> {
        self.process_text(process, "cgroup", 64 << 10)
    }

    /// Whether only the system can have made groups in this one. A user may make any in a group that belongs to that user.
    pub(super) fn is_system_cgroup(&self, hierarchy: &str, path: &str) -> bool {
        let is_users = |part: &str| part.starts_with("user@");
        if path.split('/').any(is_users) {
            return false;
        }
        // Relative to this process's own group, of which the path is unknown, or not mounted.
        if path.starts_with("/..") || self.names(Path::new(CGROUPS)).next().is_none() {
            return true;
        }
        let mounts = match hierarchy {
            "" => ["".to_owned(), "unified".to_owned()],
            named => [named.strip_prefix("name=").unwrap_or(named).to_owned(), named.to_owned()],
        };
        let group = |mount: &String| Path::new(CGROUPS).join(mount).join(path.trim_start_matches('/'));
        let is_there = |group: &PathBuf| self.metadata(group).is_some();
        let Some(group) = mounts.iter().map(group).find(is_there) else { return false };
        let above = group.ancestors().take_while(|group| group.starts_with(CGROUPS));
        above.into_iter().all(|group| self.is_systems(group))
    }

    /// Names in a directory.
    pub(super) fn names(&self, directory: &Path) -> impl Iterator<Item = String> {
        names(locate(self.directory.as_ref(), directory, OFlag::O_DIRECTORY))
    }

    /// When a directory that the system made was changed last.
    pub(super) fn changed(&self, directory: &Path) -> Option<SystemTime> {
        let metadata = self.metadata(directory).filter(|metadata| metadata.uid() == self.owner)?;
        metadata.is_dir().then(|| metadata.modified().ok()).flatten()
    }

    /// The text of a file that the system made; none if it is longer.
    pub(super) fn text(&self, path: &Path, max_bytes: u64) -> Option<String> {
        let located = locate(self.directory.as_ref(), path, OFlag::empty())?;
        (located.metadata()?.uid() == self.owner).then(|| located.text(max_bytes)).flatten()
    }

    fn process_text(&self, process: u32, file: &str, max_bytes: u64) -> Option<String> {
        locate(self.proc.as_ref(), &of(process, file), OFlag::empty())?.text(max_bytes)
    }

    fn is_systems(&self, path: &Path) -> bool {
        self.metadata(path).is_some_and(|metadata| metadata.uid() == self.owner)
    }

    fn metadata(&self, path: &Path) -> Option<fs::Metadata> {
        locate(self.directory.as_ref(), path, OFlag::empty())?.metadata()
    }
}

/// All sockets of a machine are files of one mount.
fn socket_mount() -> Option<u32> {
    let socket = UnixDatagram::unbound().ok()?;
    field(&fs::read_to_string(format!("/proc/self/fdinfo/{}", socket.as_raw_fd())).ok()?, "mnt_id:")
}

fn field(info: &str, name: &str) -> Option<u32> {
    info.lines().find_map(|line| line.strip_prefix(name))?.trim().parse().ok()
}

fn of(process: u32, file: &str) -> PathBuf {
    Path::new(&process.to_string()).join(file)
}

/// Finds a file below a directory, without opening it.
fn locate(directory: Option<&Arc<OwnedFd>>, path: &Path, flags: OFlag) -> Option<Located> {
    let how = OpenHow::new().flags(OFlag::O_PATH | OFlag::O_CLOEXEC | flags).resolve(ResolveFlag::RESOLVE_IN_ROOT);
    Some(Located(openat2(directory?, path, how).ok()?))
}

fn names(directory: Option<Located>) -> impl Iterator<Item = String> {
    let entries = directory.and_then(|found| fs::read_dir(found.reopening()).ok()).into_iter().flatten().flatten();
    entries.take(MAX_ENTRIES).filter_map(|entry| entry.file_name().into_string().ok())
}

/// A file that was found, not opened (`O_PATH`).
struct Located(OwnedFd);

impl Located {
    fn metadata(&self) -> Option<fs::Metadata> {
        fs::metadata(self.reopening()).ok()
    }

    /// A process may give itself a name that is no UTF-8.
    fn text(&self, max_bytes: u64) -> Option<String> {
        Some(String::from_utf8_lossy(&self.bytes(max_bytes)?).into_owned())
    }

    fn bytes(&self, max_bytes: u64) -> Option<Vec<u8>> {
        // A FIFO or a device is not opened.
        self.metadata()?.is_file().then_some(())?;
        let mut bytes = Vec::new();
        let read = File::open(self.reopening()).ok()?.take(max_bytes + 1).read_to_end(&mut bytes).ok()?;
        (read as u64 <= max_bytes).then_some(bytes)
    }

    /// Opens just what was found, whatever has its name now.
    fn reopening(&self) -> String {
        format!("/proc/self/fd/{}", self.0.as_raw_fd())
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
