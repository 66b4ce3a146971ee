//! `cargo xtask dist`: everything that a release consists of, for both architectures, below `target/dist`.

mod release;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::{env, fs};

use anyhow::Result;
use clap::ValueEnum;

use crate::arch::Arch;
use crate::{build, debian, paths, process, setup};
pub use release::Release;

/// Build all files of a release: archives, .deb, .rpm, container image, chart, kubectl plugin, SBOM, checksums
#[derive(clap::Args)]
pub struct Args {
    /// Build only for these architectures [default: all]
    #[arg(long, value_enum)]
    arch: Vec<Arch>,
    /// Fail unless this commit has the tag of its version and the changelog has a section for that version
    #[arg(long)]
    tagged: bool,
    /// Address for the krew manifest: release files are published below URL/vVERSION/
    #[arg(long, value_name = "URL", required_if_eq("tagged", "true"))]
    url: Option<String>,
}

const TOOLS: &[(&str, &str)] =
    &[("cargo-deb", "3.8.0"), ("cargo-generate-rpm", "0.21.1"), ("cargo-cyclonedx", "0.5.9")];

/// Where krew finds archives of a snapshot: nowhere. It takes a file instead (`--archive`).
const NOT_PUBLISHED: &str = "https://not-published.invalid";

pub fn run(args: &Args) -> Result<ExitCode> {
    let release = Release::read()?;
    match release.check() {
        Err(problem) if args.tagged => return Err(problem),
        Err(problem) => eprintln!("dist: building a snapshot, not a release: {problem:#}"),
        Ok(()) => {}
    }
    let archs = if args.arch.is_empty() { Arch::value_variants().to_vec() } else { args.arch.clone() };
    setup::toolchain_and_linker()?;
    let dist = paths::target().join("dist");
    all(&release, &archs, args.url.as_deref(), &dist)?;
    println!("{}", dist.display());
    Ok(ExitCode::SUCCESS)
}

/// Builds everything into this directory; what an earlier run left there is removed.
pub fn all(release: &Release, archs: &[Arch], url: Option<&str>, dist: &Path) -> Result<()> {
    debian::need("xz=xz-utils jq")?;
    TOOLS.iter().try_for_each(|(name, version)| setup::cargo_tool(name, version))?;
    if dist.exists() {
        fs::remove_dir_all(dist)?;
    }
    fs::create_dir_all(dist)?;
    // Before the builds: cargo-cyclonedx writes into the directories of members, and what changes in tracer-ebpf is compiled again.
    process::run(&mut script("sbom", release, dist))?;
    // The machine's own binary writes the man pages and completions of all.
    let own = build::static_binary()?;
    archs.iter().try_for_each(|arch| build::static_binary_for(*arch).map(drop))?;
    process::run(script("packages", release, dist).arg(own).args(archs.iter().map(|arch| arch.triple())))?;
    image(release, archs, dist)?;
    process::run(script("cluster", release, dist).arg(url.unwrap_or(NOT_PUBLISHED)))?;
    process::run(process::command("sh").args(["-c", "sha256sum -- * >SHA256SUMS"]).current_dir(dist))
}

pub fn are_tools_installed() -> bool {
    TOOLS.iter().all(|(name, _)| paths::tools().join("bin").join(name).exists())
}

/// Writes the image of binaries that are built already; its path.
pub fn image(release: &Release, archs: &[Arch], dist: &Path) -> Result<PathBuf> {
    debian::need("jq")?;
    let binary = |arch: &Arch| paths::target().join(arch.triple()).join("release/snatrace");
    let binaries = archs.iter().map(|arch| format!("{}={}", arch.debian(), binary(arch).display()));
    process::run(script("image", release, dist).args(binaries))?;
    Ok(dist.join(format!("snatrace-{}.oci.tar", release.version)))
}

/// A script of this directory, with what all of them need.
fn script(name: &str, release: &Release, dist: &Path) -> Command {
    let mut script = process::command(&format!("xtask/src/dist/{name}.sh"));
    script.arg(dist).arg(&release.version).env("SOURCE_DATE_EPOCH", &release.epoch).env("DATE", &release.date);
    let path = format!("{}:{}", paths::tools().join("bin").display(), env::var("PATH").unwrap_or_default());
    script.env("CARGO_TARGET_DIR", paths::target()).env("PATH", path);
    script
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn krew_downloads_the_archive_of_this_version() {
        let dist = tempfile::tempdir().unwrap();
        let mut release = Release::read().unwrap();
        release.version = "1.2.3".to_owned();
        process::output(script("cluster", &release, dist.path()).arg("https://example.com/snatrace/")).unwrap();
        let manifest = fs::read_to_string(dist.path().join("snatrace.krew.yaml")).unwrap();
        let lines: Vec<_> = manifest.lines().map(str::trim).filter(|line| !line.starts_with('#')).collect();
        for expected in ["version: v1.2.3", "uri: https://example.com/snatrace/v1.2.3/kubectl-snatrace.tar.gz"] {
            assert!(lines.contains(&expected), "{expected}: {manifest}");
        }
        let is_placeholder = |line: &&&str| ["ADDRESS", "VERSION", "SHA256"].iter().any(|word| line.contains(word));
        assert_eq!(lines.iter().find(is_placeholder), None);
    }
}
