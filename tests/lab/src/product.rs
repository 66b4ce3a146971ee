//! The `snatrace` binary that a lab runs. It is a child process, so the lab shows what a user of the binary gets.

use std::env;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

/// The environment variable that names another binary.
pub const VARIABLE: &str = "SNATRACE_BIN";

/// This program.
pub fn lab() -> Result<PathBuf> {
    env::current_exe().context("the path of this program is unknown")
}

/// The snatrace that the environment names, else the one beside this program.
pub fn binary() -> Result<PathBuf> {
    if let Some(path) = env::var_os(VARIABLE) {
        return Ok(path.into());
    }
    let beside = lab()?.with_file_name("snatrace");
    if !beside.exists() {
        bail!("there is no {}: build snatrace, or name its binary in {VARIABLE}", beside.display());
    }
    Ok(beside)
}
