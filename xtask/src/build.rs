//! `cargo xtask build`: the release binaries, snatrace and snatrace-lab; static, so that demo, tests, VMs and containers share them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::OnceLock;

use anyhow::{Context, Result};

use crate::arch::Arch;
use crate::debian;
use crate::{paths, process, setup};

/// Build the release binaries, linked statically so that they run anywhere
#[derive(clap::Args)]
pub struct Args {
    /// Architecture to build for [default: that of this machine]
    #[arg(long, value_enum)]
    arch: Option<Arch>,
}

const PACKAGES: &[&str] = &["--package", "snatrace", "--package", "snatrace-lab"];

pub fn run(args: &Args) -> Result<ExitCode> {
    setup::toolchain_and_linker()?;
    let binary = match args.arch {
        Some(arch) => static_binary_for(arch)?,
        None => static_binary()?,
    };
    println!("{}\n{}", binary.display(), lab_beside(&binary).display());
    Ok(ExitCode::SUCCESS)
}

/// The one build that demo, test and vm share: snatrace, with the lab beside it.
pub fn static_binary() -> Result<PathBuf> {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    if let Some(built) = BUILT.get() {
        return Ok(built.clone());
    }
    let built = build_static(&host_triple()?, process::cargo(), "objcopy")?;
    Ok(BUILT.get_or_init(|| built).clone())
}

/// The same for another architecture.
pub fn static_binary_for(arch: Arch) -> Result<PathBuf> {
    if arch.is_host() {
        return static_binary();
    }
    arch.prepare()?;
    let (triple, compiler) = (arch.triple(), arch.tool("gcc"));
    let variable = triple.replace('-', "_");
    let mut cargo = process::cargo();
    // The linker for rustc, the compiler for what build scripts compile: zstd.
    cargo.env(format!("CARGO_TARGET_{}_LINKER", variable.to_uppercase()), &compiler);
    cargo.env(format!("CC_{variable}"), &compiler);
    build_static(&triple, cargo, &arch.tool("objcopy"))
}

fn build_static(triple: &str, mut cargo: Command, objcopy: &str) -> Result<PathBuf> {
    let flags = std::env::var("RUSTFLAGS").unwrap_or_default();
    // Functions with the same instructions are one: 4 % of the binary. Only lld, which Rust links x86_64 with, can do that.
    let folded = if triple == "x86_64-unknown-linux-gnu" { "-C link-arg=-Wl,--icf=all" } else { "" };
    cargo.env("RUSTFLAGS", format!("{flags} -C target-feature=+crt-static {folded}"));
    process::run(cargo.args(["build", "--release"]).args(PACKAGES).args(["--target", triple]))?;
    stripped(paths::target().join(triple).join("release/snatrace"), objcopy)
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

/// Moves the debug information of both binaries into files beside them, `NAME.debug`, where gdb and perf find it.
fn stripped(snatrace: PathBuf, objcopy: &str) -> Result<PathBuf> {
    debian::need("objcopy=binutils")?;
    for binary in [snatrace.clone(), lab_beside(&snatrace)] {
        let (debug, small) = (binary.with_extension("debug"), binary.with_extension("stripped"));
        let objcopy = || process::command(objcopy);
        process::output(objcopy().arg("--only-keep-debug").args([&binary, &debug]))?;
        let mut link = std::ffi::OsString::from("--add-gnu-debuglink=");
        link.push(&debug);
        process::output(
            objcopy().args(["--strip-all", "--remove-section=.comment"]).arg(link).args([&binary, &small]),
        )?;
        // Not in place: the file is a link to Cargo's own, which stays as it is, and which the next build links again.
        fs::rename(&small, &binary).with_context(|| format!("cannot replace {}", binary.display()))?;
    }
    Ok(snatrace)
}

fn host_triple() -> Result<String> {
    let version = process::output(process::command("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("`rustc -vV` printed no `host:` line")?.to_owned())
}
