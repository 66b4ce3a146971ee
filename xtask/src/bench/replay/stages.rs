//! The programs that are measured, built apart from the product's own builds so that those stay as they are.

use std::ffi::OsStr;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::{paths, process};

pub struct Stages {
    stages: PathBuf,
    pub snatrace: PathBuf,
    /// Where traces go.
    pub scratch: PathBuf,
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

    /// What the stage wrote.
    pub fn run(&self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Result<Value> {
        let line = process::output(process::command(&self.stages.to_string_lossy()).args(arguments))?;
        serde_json::from_str(&line).context("reading what replay_stages wrote")
    }
}
