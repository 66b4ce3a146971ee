//! Packages and archives of one architecture. What is in a package: `tracer/Cargo.toml`.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Result;

use super::Release;
use crate::arch::Arch;
use crate::debian;
use crate::{build, paths, process, setup};

pub const MAINTAINER: &str = "The snatrace authors <snatrace@users.noreply.invalid>";
const TOOLS: &[(&str, &str)] =
    &[("cargo-deb", "3.8.0"), ("cargo-generate-rpm", "0.21.1"), ("cargo-cyclonedx", "0.5.9")];

pub fn prepare() -> Result<()> {
    debian::need("xz=xz-utils")?;
    TOOLS.iter().try_for_each(|(name, version)| setup::cargo_tool(name, version))
}

pub fn are_tools_installed() -> bool {
    TOOLS.iter().all(|(name, _)| paths::tools().join("bin").join(name).exists())
}

pub fn deb(arch: Arch, release: &Release, dist: &Path) -> Result<()> {
    let mut deb = tool("cargo-deb", release);
    deb.args(["--no-build", "--no-strip", "--no-dbgsym", "--package", "snatrace", "--maintainer", MAINTAINER]);
    process::run(deb.args(["--target", &arch.triple(), "--output"]).arg(dist))
}

pub fn rpm(arch: Arch, release: &Release, dist: &Path) -> Result<()> {
    let mut rpm = tool("cargo-generate-rpm", release);
    rpm.args(["generate-rpm", "--package", "tracer", "--auto-req", "no", "--target", &arch.triple()]);
    process::run(rpm.args(["--source-date", &release.epoch, "--output"]).arg(dist.join("")))
}

/// The binaries with documentation, and their debug information.
pub fn archives(arch: Arch, release: &Release, binary: &Path, dist: &Path) -> Result<()> {
    let name = format!("snatrace-{}-{}", release.version, arch.name());
    let tree = dist.join(&name);
    fs::create_dir(&tree)?;
    let lab = build::lab_beside(binary);
    for file in [binary, &lab, &paths::root().join("LICENSE-MIT"), &paths::root().join("LICENSE-APACHE")] {
        fs::copy(file, tree.join(file.file_name().unwrap_or_default()))?;
    }
    for dir in ["man", "completions"] {
        process::output(process::command("cp").arg("-r").arg(binary.with_file_name("package").join(dir)).arg(&tree))?;
    }
    pack(release, dist, &name, &[&name])?;
    fs::remove_dir_all(&tree)?;
    let debug = binary.parent().unwrap_or(binary);
    let archive = dist.join(format!("{name}-debug"));
    pack(release, debug, &archive.to_string_lossy(), &["snatrace.debug", "snatrace-lab.debug"])
}

fn pack(release: &Release, dir: &Path, archive: &str, files: &[&str]) -> Result<()> {
    let mut tar = super::tar(release);
    tar.args(["--mode=u+w,go=rX", "-cJf", &format!("{archive}.tar.xz")]).args(files);
    process::run(tar.current_dir(dir).env("XZ_OPT", "-T0"))
}

fn tool(name: &str, release: &Release) -> Command {
    let mut command = process::command(&paths::tools().join("bin").join(name).to_string_lossy());
    command.env("SOURCE_DATE_EPOCH", &release.epoch).env("CARGO_TARGET_DIR", paths::target());
    command
}
