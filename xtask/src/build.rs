//! `cargo xtask build`: the release binaries, snatrace and snatrace-lab; static, so that demo, tests, VMs and containers share them.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::consent::Consent;
use crate::{paths, process, setup};

/// Build the release binaries
#[derive(clap::Args)]
pub struct Args {
    /// Link the C library in as well, so that the binaries run anywhere
    #[arg(long = "static")]
    fixed: bool,
    #[command(flatten)]
    consent: Consent,
}

const PACKAGES: &[&str] = &["--package", "snatrace", "--package", "snatrace-lab"];

pub fn run(args: &Args) -> Result<ExitCode> {
    setup::toolchain_and_linker(args.consent)?;
    let binary = if args.fixed { static_binary()? } else { dynamic_binary()? };
    println!("{}\n{}", binary.display(), lab_beside(&binary).display());
    Ok(ExitCode::SUCCESS)
}

/// The one build that demo, test and vm share: snatrace, with the lab beside it.
pub fn static_binary() -> Result<PathBuf> {
    let host = host_triple()?;
    let flags = std::env::var("RUSTFLAGS").unwrap_or_default();
    let mut cargo = process::cargo();
    cargo.env("RUSTFLAGS", format!("{flags} -C target-feature=+crt-static"));
    process::run(cargo.args(["build", "--release"]).args(PACKAGES).args(["--target", &host]))?;
    Ok(paths::target().join(host).join("release/snatrace"))
}

/// The lab that belongs to a snatrace.
pub fn lab_beside(snatrace: &Path) -> PathBuf {
    snatrace.with_file_name("snatrace-lab")
}

/// The shared build if there is one already, without building it.
pub fn built_static_binary() -> Result<Option<PathBuf>> {
    let binary = paths::target().join(host_triple()?).join("release/snatrace");
    Ok(binary.exists().then_some(binary))
}

fn dynamic_binary() -> Result<PathBuf> {
    process::run(process::cargo().args(["build", "--release"]).args(PACKAGES))?;
    Ok(paths::target().join("release/snatrace"))
}

fn host_triple() -> Result<String> {
    let version = process::output(process::command("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("`rustc -vV` names no host")?.to_owned())
}
