//! What is measured: programs with their arguments, built into a target directory of their own.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::{paths, process};

pub struct Work {
    pub name: String,
    pub events: u64,
    /// Of `replay_stages`.
    pub arguments: Vec<String>,
}

impl Work {
    pub fn stage(name: &str, events: u64, arguments: &[&str]) -> Self {
        Self { name: name.to_owned(), events, arguments: arguments.iter().map(ToString::to_string).collect() }
    }
}

pub struct Stages {
    pub stages: PathBuf,
    pub snatrace: PathBuf,
    /// Where traces go.
    scratch: PathBuf,
}

impl Stages {
    pub fn build() -> Result<Self> {
        let target = paths::target().join("bench-replay");
        let mut cargo = process::cargo();
        cargo.args(["build", "--release", "--package", "snatrace", "--no-default-features", "--bin", "snatrace"]);
        process::run(cargo.args(["--example", "replay_stages", "--target-dir"]).arg(&target))?;
        let scratch = target.join("traces");
        std::fs::create_dir_all(&scratch).with_context(|| format!("cannot create {}", scratch.display()))?;
        let release = target.join("release");
        Ok(Self { stages: release.join("examples/replay_stages"), snatrace: release.join("snatrace"), scratch })
    }

    /// In a guest, which got what [`Stages::build`] built.
    pub fn installed() -> Self {
        let sbin = Path::new("/usr/sbin");
        Self { stages: sbin.join("replay_stages"), snatrace: sbin.join("snatrace"), scratch: "/tmp".into() }
    }

    /// Writes a synthetic trace, and what else the options name.
    pub fn make(&self, events: u64, options: &[&str]) -> Result<Value> {
        eprintln!("generating a trace of {events} events");
        self.run([&["make", "--events", &events.to_string()], options].concat())
    }

    /// A command of snatrace, measured as a whole.
    pub fn snatrace(&self, name: &str, events: u64, arguments: &[&str]) -> Work {
        let program = self.snatrace.to_string_lossy();
        Work::stage(name, events, &[&["run", "--", &*program], arguments].concat())
    }

    /// The JSON that the stage wrote.
    pub fn run(&self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Result<Value> {
        let mut stage = process::command(&self.stages.to_string_lossy());
        let line = process::output(stage.args(arguments).current_dir(&self.scratch))?;
        serde_json::from_str(&line).context("cannot parse the output of replay_stages")
    }
}
