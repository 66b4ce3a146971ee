//! Steps that read the source without running it.

use std::env;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use super::report::Skipped;
use crate::setup::toolchain;
use crate::{debian, paths, process, setup};

const DENY_VERSION: &str = "0.20.2";
const FETCH_LIMIT: Duration = Duration::from_secs(120);

/// As `tracer/build.rs` builds them, with the linter in place of the compiler.
pub fn clippy_ebpf() -> Result<()> {
    let name = setup::toolchain_name()?;
    if toolchain::is_debian(&name) {
        debian::install(&["rust-web-clippy"])?;
    }
    let mut cargo = process::command("rustup");
    cargo.args(["run", &name, "cargo", "clippy", "--locked", "--package", "tracer-ebpf", "--bins"]);
    cargo.args(["--target", "bpfel-unknown-none", "-Z", "build-std=core", "--target-dir"]);
    cargo.arg(paths::target().join("ebpf-clippy")).args(["--", "-D", "warnings"]);
    let flags = format!("--cfg=bpf_target_arch=\"{}\"", env::consts::ARCH);
    process::run(cargo.env("RUSTC_BOOTSTRAP", "1").env("CARGO_ENCODED_RUSTFLAGS", flags))
}

pub fn deny() -> Result<()> {
    process::run(cargo_deny()?.args(["check", "--hide-inclusion-graph", "bans", "licenses", "sources"]))
}

pub fn advisories() -> Result<()> {
    process::run_for(FETCH_LIMIT, cargo_deny()?.args(["fetch", "db"]))
        .context(Skipped("cannot fetch the advisory database"))?;
    process::run(cargo_deny()?.args(["check", "--disable-fetch", "advisories"]))
}

fn cargo_deny() -> Result<Command> {
    setup::cargo_tool("cargo-deny", DENY_VERSION)?;
    Ok(process::command(&paths::tools().join("bin/cargo-deny").to_string_lossy()))
}
