//! `cargo xtask dist`: everything that a release consists of, for both architectures, below `target/dist`.

mod cluster;
mod files;
mod image;
mod packages;
mod release;

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::Result;
use clap::ValueEnum;

use crate::arch::Arch;
use crate::{build, paths, process, setup};
pub use image::{build as image, unpack as unpack_image};
pub use packages::are_tools_installed;
pub use release::Release;

/// Build what a release consists of: archives, .deb, .rpm, container image, chart, kubectl plugin, SBOM, checksums
#[derive(clap::Args)]
pub struct Args {
    /// Only for these architectures [default: all]
    #[arg(long, value_enum)]
    arch: Vec<Arch>,
    /// Fail unless this commit is a release: it has the tag of its version, and the changelog has its section
    #[arg(long)]
    tagged: bool,
    /// Where releases are published: files below URL/vVERSION/; the manifest for krew names it
    #[arg(long, value_name = "URL", required_if_eq("tagged", "true"))]
    url: Option<String>,
}

pub fn run(args: &Args) -> Result<ExitCode> {
    let release = Release::read()?;
    match release.check() {
        Err(problem) if args.tagged => return Err(problem),
        Err(problem) => eprintln!("dist: a snapshot, not a release: {problem:#}"),
        Ok(()) => {}
    }
    let archs = if args.arch.is_empty() { Arch::value_variants().to_vec() } else { args.arch.clone() };
    setup::toolchain_and_linker()?;
    let dist = paths::target().join("dist");
    all(&release, &archs, args.url.as_deref(), &dist)?;
    println!("{}", dist.display());
    Ok(ExitCode::SUCCESS)
}

/// `tar` as a release uses it: two archives of one commit are alike.
fn tar(release: &Release) -> Command {
    let mut tar = process::command("tar");
    tar.args(["--sort=name", "--owner=0", "--group=0", "--numeric-owner"]).arg(format!("--mtime=@{}", release.epoch));
    tar
}

/// Builds everything into this directory; what an earlier run left there is removed.
pub fn all(release: &Release, archs: &[Arch], url: Option<&str>, dist: &Path) -> Result<()> {
    packages::prepare()?;
    if dist.exists() {
        fs::remove_dir_all(dist)?;
    }
    fs::create_dir_all(dist)?;
    // Before the builds: cargo-cyclonedx writes into the directories of members, and what changes in tracer-ebpf is compiled again.
    let sbom = files::sbom(release, dist)?;
    // The machine's own binary writes the man pages and completions of all.
    let own = build::static_binary()?;
    for arch in archs {
        let binary = build::static_binary_for(*arch)?;
        files::stage(release, &own, &binary, &sbom)?;
        packages::deb(*arch, release, dist)?;
        packages::rpm(*arch, release, dist)?;
        packages::archives(*arch, release, &binary, dist)?;
    }
    image::build(release, archs, dist)?;
    cluster::build(release, url, dist)?;
    let script = "sha256sum -- * >SHA256SUMS";
    process::run(process::command("sh").args(["-c", script]).current_dir(dist))
}
