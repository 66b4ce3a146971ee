//! `cargo xtask build`: the release binary; static, so that demo, tests, VMs and containers share one.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::consent::Consent;
use crate::{paths, process, setup};

/// Build the release binary
#[derive(clap::Args)]
pub struct Args {
    /// Link the C library in as well, so that the binary runs anywhere
    #[arg(long = "static")]
    fixed: bool,
    /// Install what is missing without asking
    #[arg(long, short)]
    yes: bool,
}

pub fn run(args: &Args) -> Result<ExitCode> {
    setup::toolchain_and_linker(Consent { given: args.yes })?;
    let binary = if args.fixed { static_binary()? } else { dynamic_binary()? };
    println!("{}", binary.display());
    Ok(ExitCode::SUCCESS)
}

/// The one build that demo, test and vm share.
pub fn static_binary() -> Result<PathBuf> {
    let host = host_triple()?;
    let flags = std::env::var("RUSTFLAGS").unwrap_or_default();
    let mut cargo = process::cargo();
    cargo.env("RUSTFLAGS", format!("{flags} -C target-feature=+crt-static"));
    process::run(cargo.args(["build", "--release", "--package", "snatrace", "--target", &host]))?;
    Ok(paths::target().join(host).join("release/snatrace"))
}

/// The shared build if there is one already, without building it.
pub fn built_static_binary() -> Result<Option<PathBuf>> {
    let binary = paths::target().join(host_triple()?).join("release/snatrace");
    Ok(binary.exists().then_some(binary))
}

fn dynamic_binary() -> Result<PathBuf> {
    process::run(process::cargo().args(["build", "--release", "--package", "snatrace"]))?;
    Ok(paths::target().join("release/snatrace"))
}

fn host_triple() -> Result<String> {
    let version = process::output(process::command("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("`rustc -vV` names no host")?.to_owned())
}
