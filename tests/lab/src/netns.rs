//! Network namespaces: made and removed with `ip netns`, entered by single threads only.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::command::run;
use snatrace::netns::Netns;

/// Where iproute2 keeps its namespaces; `/var/run` is the older name of `/run`.
const DIRECTORIES: [&str; 2] = ["/run/netns", "/var/run/netns"];

/// A namespace that is removed when this guard is dropped.
pub struct Namespace {
    name: String,
}

impl Namespace {
    /// Makes a namespace.
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
pub fn remove(name: &str) -> Result<()> {
    run("ip", &["netns", "del", name], "").map(drop)
}

/// The file of a namespace.
pub fn path(name: &str) -> PathBuf {
    let all = DIRECTORIES.map(|directory| Path::new(directory).join(name));
    let [first, _] = &all;
    all.iter().find(|path| path.exists()).unwrap_or(first).clone()
}

/// Names of the namespaces that begin with this.
pub fn names_with(prefix: &str) -> Vec<String> {
    let entries = DIRECTORIES.iter().find_map(|directory| fs::read_dir(directory).ok());
    let names = entries.into_iter().flatten().flatten().filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| name.starts_with(prefix)).collect()
}

/// Moves the calling thread into a namespace.
pub fn enter(path: &Path) -> Result<()> {
    Netns::open(path)?.enter()
}

/// Runs work in a namespace, on a thread of its own: the calling thread stays in its namespace.
pub fn within<T: Send>(name: &str, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    Netns::open(&path(name))?.run(work)
}

/// Sets a sysctl of a namespace, such as `net/ipv4/ip_forward`.
pub fn set_sysctl(name: &str, key: &str, value: &str) -> Result<()> {
    within(name, || {
        // `/proc/sys/net` shows the namespace of the thread that opens it.
        fs::write(Path::new("/proc/sys").join(key), value)
            .with_context(|| format!("cannot set sysctl {key} of namespace {name} to {value}"))
    })
}
