//! Chooses the Rust toolchain for the eBPF programs. Their target has no prebuilt `core`, so it must have rust-src.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::linker;
use crate::setup::consent;
use crate::{debian, paths, process};

pub struct Toolchain {
    /// What `rustup run` accepts.
    pub name: String,
    /// Major version of its LLVM; the linker's must not be older.
    pub llvm: u32,
}

/// Debian's compiler, its source and its clippy: the way without rustup's servers.
const DEBIAN: &[&str] = &["rustc-web", "cargo-web", "rust-web-src", "rust-web-clippy"];
const LINKED: &str = "snatrace-ebpf";
const COMPONENT_LIMIT: Duration = Duration::from_secs(120);

/// A toolchain that has rust-src, else rustup's component, else Debian's packages.
pub fn choose() -> Result<Toolchain> {
    if paths::program("rustup").is_none() {
        bail!("rustup is missing: the eBPF programs need a toolchain of their own: install rustup and try again");
    }
    let installed = installed()?;
    if let Some(found) = installed.iter().filter(|name| has_source(name)).find_map(|name| usable(name)) {
        return Ok(found);
    }
    if let Some(found) = add_component(&installed)? {
        return Ok(found);
    }
    link_debian()
}

/// Whether the toolchain brings the source of `core`.
pub fn has_source(name: &str) -> bool {
    sysroot(name).is_ok_and(|dir| dir.join("lib/rustlib/src/rust/library/core/Cargo.toml").exists())
}

/// Whether the toolchain is Debian's, so that what it lacks comes from apt.
pub fn is_debian(name: &str) -> bool {
    sysroot(name).and_then(|dir| Ok(dir.canonicalize()?)).is_ok_and(|dir| dir == Path::new("/usr"))
}

fn installed() -> Result<Vec<String>> {
    let list = process::output(rustup().args(["toolchain", "list"]))?;
    Ok(list.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect())
}

fn usable(name: &str) -> Option<Toolchain> {
    let llvm = llvm_major(name).ok()?;
    linker::can_be_had(llvm).then(|| Toolchain { name: name.to_owned(), llvm })
}

/// The active toolchain first, since RUSTC_BOOTSTRAP lets a stable one build `core` too; then nightly.
fn add_component(installed: &[String]) -> Result<Option<Toolchain>> {
    let active = process::output(rustup().args(["show", "active-toolchain"])).unwrap_or_default();
    let active = active.split_whitespace().next().unwrap_or_default();
    let nightly = installed.iter().map(String::as_str).find(|name| name.starts_with("nightly"));
    for name in std::iter::once(active).chain(nightly) {
        let Some(found) = usable(name) else { continue };
        consent::ask(&format!("rustup's component rust-src for {name}"))?;
        let added =
            process::run_for(COMPONENT_LIMIT, rustup().args(["component", "add", "rust-src", "--toolchain", name]));
        match added {
            Ok(()) if has_source(name) => return Ok(Some(found)),
            Ok(()) => eprintln!("setup: {name} still has no rust-src: trying another source"),
            Err(error) => eprintln!("setup: {error:#}: trying another source"),
        }
    }
    Ok(None)
}

fn link_debian() -> Result<Toolchain> {
    if !debian::is_debian() {
        bail!(
            "no toolchain has rust-src, and rustup could not add it: run `rustup component add rust-src` and try again"
        );
    }
    debian::install(DEBIAN)?;
    process::run(rustup().args(["toolchain", "link", LINKED, "/usr"]))?;
    if !has_source(LINKED) {
        bail!(
            "Debian's toolchain has no source of `core` under /usr/lib/rustlib: install rust-web-src to match rustc-web"
        );
    }
    usable(LINKED).context("no LLVM fits Debian's compiler: run `apt-get update`, check `apt-cache policy llvm-22-dev`")
}

fn sysroot(name: &str) -> Result<PathBuf> {
    let rustc = PathBuf::from(process::output(rustup().args(["which", "--toolchain", name, "rustc"]))?.trim());
    let dir = rustc.parent().and_then(|bin| bin.parent());
    Ok(dir.context("rustc is not in a bin directory")?.to_path_buf())
}

fn llvm_major(name: &str) -> Result<u32> {
    let version = process::output(rustup().args(["run", name, "rustc", "-vV"]))?;
    let llvm = version.lines().find_map(|line| line.strip_prefix("LLVM version: ")).context("rustc printed no LLVM")?;
    Ok(llvm.split('.').next().unwrap_or_default().parse()?)
}

/// Asking about a toolchain must not make rustup install it, and its errors need no backtrace.
fn rustup() -> std::process::Command {
    let mut command = process::command("rustup");
    command.env("RUSTUP_AUTO_INSTALL", "0").env("RUST_BACKTRACE", "0");
    command
}
