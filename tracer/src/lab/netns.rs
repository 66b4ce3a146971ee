//! Network namespaces: made and removed with `ip netns`, entered by single threads only.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::{fs, io, thread};

use anyhow::{Context, Result, anyhow};
use nix::sched::{CloneFlags, setns};

use super::command::run;

/// Where iproute2 keeps its namespaces; `/var/run` is the older name of `/run`.
const DIRECTORIES: [&str; 2] = ["/run/netns", "/var/run/netns"];

/// A namespace that goes away with this guard.
pub struct Namespace {
    name: String,
}

impl Namespace {
    /// Makes a namespace.
    ///
    /// # Errors
    /// When `ip netns add` fails, for example because the name is taken.
    pub fn create(name: &str) -> Result<Self> {
        run("ip", &["netns", "add", name], "")?;
        Ok(Self { name: name.to_owned() })
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        if let Err(error) = remove(&self.name) {
            log::warn!("namespace {} is left behind: {error:#}; remove it with `ip netns del {0}`", self.name);
        }
    }
}

/// Removes a namespace by name.
///
/// # Errors
/// When `ip netns del` fails.
pub fn remove(name: &str) -> Result<()> {
    run("ip", &["netns", "del", name], "").map(drop)
}

/// The file of a namespace.
#[must_use]
pub fn path(name: &str) -> PathBuf {
    let all = DIRECTORIES.map(|directory| Path::new(directory).join(name));
    let [first, _] = &all;
    all.iter().find(|path| path.exists()).unwrap_or(first).clone()
}

/// Names of the namespaces that begin with this.
#[must_use]
pub fn names_with(prefix: &str) -> Vec<String> {
    let entries = DIRECTORIES.iter().find_map(|directory| fs::read_dir(directory).ok());
    let names = entries.into_iter().flatten().flatten().filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| name.starts_with(prefix)).collect()
}

/// Moves the calling thread into a namespace.
///
/// # Errors
/// When the file cannot be opened or the namespace not be entered.
pub fn enter(path: &Path) -> Result<()> {
    let file = File::open(path).with_context(|| format!("{} cannot be opened", path.display()))?;
    setns(file, CloneFlags::CLONE_NEWNET)
        .map_err(io::Error::from)
        .with_context(|| format!("namespace {} cannot be entered", path.display()))
}

/// Runs work in a namespace, on a thread of its own, so that the caller stays where it is.
///
/// # Errors
/// When the namespace cannot be entered or the work fails.
pub fn within<T: Send>(name: &str, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    let path = path(name);
    thread::scope(|scope| {
        let thread = scope.spawn(|| {
            enter(&path)?;
            work()
        });
        thread.join().map_err(|_| anyhow!("a thread in namespace {name} panicked"))?
    })
}

/// Sets a sysctl of a namespace, such as `net/ipv4/ip_forward`.
///
/// # Errors
/// When it cannot be written.
pub fn set_sysctl(name: &str, key: &str, value: &str) -> Result<()> {
    within(name, || {
        // `/proc/sys/net` shows the namespace of the thread that opens it.
        fs::write(Path::new("/proc/sys").join(key), value)
            .with_context(|| format!("sysctl {key} of namespace {name} cannot be set to {value}"))
    })
}
