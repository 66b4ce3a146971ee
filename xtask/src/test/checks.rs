//! Steps that read the source without running it.

use std::env;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use super::Context;
use super::report::{Outcome, skipped};
use crate::setup::toolchain;
use crate::{debian, paths, process, setup};

const DENY_VERSION: &str = "0.20.2";
const FETCH_LIMIT: Duration = Duration::from_secs(120);

pub fn fmt(_: &Context) -> Result<Outcome> {
    done(process::cargo().args(["fmt", "--all", "--check"]))
}

pub fn clippy(_: &Context) -> Result<Outcome> {
    let words = "clippy --workspace --exclude tracer-ebpf --all-targets -- -D warnings";
    done(process::cargo().args(words.split(' ')))
}

pub fn without_ebpf(_: &Context) -> Result<Outcome> {
    done(process::cargo().args(["check", "--package", "snatrace", "--no-default-features"]))
}

/// As `tracer/build.rs` builds them, with the linter in place of the compiler.
pub fn clippy_ebpf(context: &Context) -> Result<Outcome> {
    let name = setup::toolchain_name()?;
    if toolchain::is_debian(&name) {
        debian::install(&["rust-web-clippy"], context.consent)?;
    }
    let mut cargo = process::command("rustup");
    cargo.args(["run", &name, "cargo", "clippy", "--locked", "--package", "tracer-ebpf", "--bins"]);
    cargo.args(["--target", "bpfel-unknown-none", "-Z", "build-std=core", "--target-dir"]);
    cargo.arg(paths::target().join("ebpf-clippy")).args(["--", "-D", "warnings"]);
    let flags = format!("--cfg=bpf_target_arch=\"{}\"", env::consts::ARCH);
    cargo.env("RUSTC_BOOTSTRAP", "1").env("CARGO_ENCODED_RUSTFLAGS", flags);
    done(&mut cargo)
}

pub fn deny(context: &Context) -> Result<Outcome> {
    setup::cargo_tool("cargo-deny", DENY_VERSION, context.consent)?;
    done(cargo_deny().args(["check", "--hide-inclusion-graph", "bans", "licenses", "sources"]))
}

pub fn advisories(context: &Context) -> Result<Outcome> {
    setup::cargo_tool("cargo-deny", DENY_VERSION, context.consent)?;
    if let Err(error) = process::run_for(FETCH_LIMIT, cargo_deny().args(["fetch", "db"])) {
        return skipped(format!("the advisory database cannot be fetched: {error:#}"));
    }
    done(cargo_deny().args(["check", "--disable-fetch", "advisories"]))
}

fn cargo_deny() -> Command {
    process::command(&paths::tools().join("bin/cargo-deny").to_string_lossy())
}

fn done(command: &mut Command) -> Result<Outcome> {
    process::run(command).map(|()| Outcome::Done)
}
