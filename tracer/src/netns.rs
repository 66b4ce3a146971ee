//! Being in another network namespace: for a moment on a thread of its own, or for good on the calling thread.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use nix::errno::Errno;
use nix::sched::{CloneFlags, setns};

/// A network namespace, held open.
#[derive(Debug)]
pub struct Netns {
    path: PathBuf,
    file: File,
}

impl AsRawFd for Netns {
    fn as_raw_fd(&self) -> RawFd {
        self.file.as_raw_fd()
    }
}

impl Netns {
    /// The namespace at this path, such as `/run/netns/NAME` or `/proc/PID/ns/net`.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let file = File::open(path).with_context(|| {
            format!(
                "cannot open the network namespace {}: `ip netns` lists names, others have a path as /proc/PID/ns/net",
                path.display()
            )
        })?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// The namespace that snatrace itself was started in.
    pub fn own() -> anyhow::Result<Self> {
        Self::open(Path::new("/proc/self/ns/net"))
    }

    /// The namespace of the calling thread.
    pub fn current() -> anyhow::Result<Self> {
        Self::open(Path::new("/proc/thread-self/ns/net"))
    }

    /// Its inode number, as in events.
    pub fn inum(&self) -> io::Result<u32> {
        // Namespace inode numbers are 32 bits wide (`ns_common.inum`).
        self.file.metadata().map(|meta| meta.ino() as u32)
    }

    /// Moves the calling thread into the namespace, for good.
    pub fn enter(&self) -> anyhow::Result<()> {
        // setns(2) wants CAP_SYS_ADMIN even where it changes nothing.
        if self.is_current()? {
            return Ok(());
        }
        setns(&self.file, CloneFlags::CLONE_NEWNET).map_err(|errno| {
            let what_to_do = if errno == Errno::EPERM {
                "entering another one takes CAP_SYS_ADMIN: run as root (sudo)"
            } else {
                "is it one?"
            };
            anyhow::anyhow!("cannot enter the network namespace {}: {errno}: {what_to_do}", self.path.display())
        })
    }

    /// Whether the calling thread is in it.
    pub fn is_current(&self) -> anyhow::Result<bool> {
        let current = Path::new("/proc/thread-self/ns/net");
        let of_thread = fs::metadata(current).with_context(|| format!("looking at {}", current.display()))?;
        let this = self.file.metadata().with_context(|| format!("looking at {}", self.path.display()))?;
        Ok((this.dev(), this.ino()) == (of_thread.dev(), of_thread.ino()))
    }

    /// Runs `inside` in the namespace and returns what it returns.
    pub fn run<T: Send>(&self, inside: impl FnOnce() -> anyhow::Result<T> + Send) -> anyhow::Result<T> {
        if self.is_current()? {
            return inside();
        }
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                self.enter()?;
                inside()
            });
            thread.join().map_err(|_| anyhow::anyhow!("a thread inside {} died", self.path.display()))?
        })
    }
}
