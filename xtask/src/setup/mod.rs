//! `cargo xtask setup`: what building the eBPF programs needs, and what the demo needs. The second run does nothing.
//!
//! Leaves for `tracer/build.rs`: `target/tools/ebpf-toolchain` (the toolchain's name for `rustup run`) and
//! `target/tools/bin/bpf-linker`.

pub mod consent;
mod linker;
pub mod toolchain;

use std::fs;
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::debian;
use crate::{paths, process};

/// What the lab of `snatrace-lab demo` calls.
const DEMO: &str = "ip=iproute2 nft=nftables";

pub fn run() -> Result<ExitCode> {
    all()?;
    eprintln!("setup: ready: the toolchain `{}` builds the eBPF programs", toolchain_name()?);
    Ok(ExitCode::SUCCESS)
}

pub fn all() -> Result<()> {
    debian::need(DEMO)?;
    toolchain_and_linker()
}

pub fn toolchain_and_linker() -> Result<()> {
    if is_ready() {
        return Ok(());
    }
    let chosen = toolchain::choose()?;
    linker::ensure(chosen.llvm)?;
    let file = paths::tools().join("ebpf-toolchain");
    fs::write(&file, format!("{}\n", chosen.name)).with_context(|| format!("cannot write {}", file.display()))
}

/// The toolchain that an earlier `setup` chose.
pub fn toolchain_name() -> Result<String> {
    let file = paths::tools().join("ebpf-toolchain");
    let name = fs::read_to_string(&file)
        .with_context(|| format!("cannot read {}: run `cargo xtask setup`", file.display()))?;
    Ok(name.trim().to_owned())
}

fn is_ready() -> bool {
    linker::is_built() && toolchain_name().is_ok_and(|name| toolchain::has_source(&name))
}

/// Builds a program for cargo's use, unless an earlier run did; it stays below `target/tools`.
pub fn cargo_tool(name: &str, version: &str) -> Result<()> {
    if paths::tools().join("bin").join(name).exists() {
        return Ok(());
    }
    consent::ask(&format!("{name} {version} into {}", paths::tools().display()))?;
    let mut cargo = process::cargo();
    cargo.env_remove("CARGO_TARGET_DIR").args(["install", "--locked", &format!("{name}@{version}"), "--root"]);
    process::run(cargo.arg(paths::tools())).with_context(|| format!("cannot build {name}"))
}
