//! Control groups of a lab, all below one group named after the lab, in the first hierarchy that this machine lets us write.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::net;

const MOUNT: &str = "/sys/fs/cgroup";
/// Version 2, alone or beside version 1; then those hierarchies of version 1 that accept a process without further setup.
const HIERARCHIES: [&str; 5] = ["", "unified", "systemd", "pids", "freezer"];

/// A lab's groups, removed when this guard is dropped; their processes must have ended before.
#[derive(Debug)]
pub struct Groups {
    top: PathBuf,
}

impl Groups {
    /// Makes the lab's own group; `None` where no hierarchy is mounted or writable.
    pub fn create(number: u8) -> Option<Self> {
        let top = tops(number).find(|top| is_hierarchy(top) && fs::create_dir(top).is_ok())?;
        Some(Self { top })
    }

    /// Makes a group at a path below the lab's own group and returns its directory.
    pub fn group(&self, path: &str) -> Result<PathBuf> {
        let group = self.top.join(path);
        fs::create_dir_all(&group).with_context(|| format!("cannot make the control group {}", group.display()))?;
        Ok(group)
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        remove(&self.top);
    }
}

/// Puts a process into a group.
pub fn enter(group: &Path, process: u32) -> Result<()> {
    fs::write(group.join("cgroup.procs"), process.to_string())
        .with_context(|| format!("cannot put process {process} into {}", group.display()))
}

/// Removes what a killed owner of this number left behind.
pub fn sweep(number: u8) {
    tops(number).filter(|top| top.exists()).for_each(|top| remove(&top));
}

fn tops(number: u8) -> impl Iterator<Item = PathBuf> {
    let name = net::prefix(number).trim_end_matches('-').to_owned();
    HIERARCHIES.into_iter().map(move |hierarchy| Path::new(MOUNT).join(hierarchy).join(&name))
}

/// A plain directory, without a mounted hierarchy, has no such file.
fn is_hierarchy(top: &Path) -> bool {
    top.with_file_name("cgroup.procs").exists()
}

/// Removes the innermost groups first. rmdir(2) of a group needs no removal of its files.
fn remove(group: &Path) {
    let entries = fs::read_dir(group).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.file_type().is_ok_and(|of| of.is_dir())) {
        remove(&entry.path());
    }
    if let Err(error) = fs::remove_dir(group) {
        log::warn!("the control group {} is left behind: {error}; the next start of a lab removes it", group.display());
    }
}
