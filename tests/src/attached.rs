//! What a process has in the kernel, and that it is gone once the process is.
//!
//! By number, so that captures of others at the same time do not matter.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeSet;
use std::fs;
use std::process::{Command, Stdio};

use crate::process::until;

/// Programs and links of a process.
#[derive(Debug, PartialEq, Eq)]
pub struct Attached {
    pub programs: BTreeSet<u32>,
    pub links: BTreeSet<u32>,
}

impl Attached {
    /// What a process holds now.
    pub fn by(pid: u32) -> Self {
        let files = fs::read_dir(format!("/proc/{pid}/fdinfo")).unwrap();
        // A descriptor may be closed while we look.
        let texts: Vec<String> = files.filter_map(|file| fs::read_to_string(file.ok()?.path()).ok()).collect();
        let numbers = |key: &str| {
            let lines = texts.iter().flat_map(|text| text.lines());
            lines.filter_map(|line| line.strip_prefix(key)?.trim().parse().ok()).collect()
        };
        Self { programs: numbers("prog_id:"), links: numbers("link_id:") }
    }

    /// Waits until the kernel has none of it any more; it frees programs after a grace period.
    pub fn wait_until_gone(&self) {
        until("programs and links are gone", || {
            let programs = self.programs.iter().any(|id| exists("prog", *id));
            !programs && !self.links.iter().any(|id| exists("link", *id))
        });
    }

    /// Whether the kernel has all of it.
    pub fn is_there(&self) -> bool {
        self.programs.iter().all(|id| exists("prog", *id)) && self.links.iter().all(|id| exists("link", *id))
    }
}

fn exists(kind: &str, id: u32) -> bool {
    let mut bpftool = Command::new("bpftool");
    bpftool.args([kind, "show", "id", &id.to_string()]).stdout(Stdio::null()).stderr(Stdio::null());
    bpftool.status().unwrap().success()
}
