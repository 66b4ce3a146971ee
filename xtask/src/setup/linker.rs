//! Builds bpf-linker against an LLVM that reads what the chosen compiler writes.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::{debian, paths, process};

const VERSION: &str = "0.13.0";
/// The LLVM versions this release can be built with.
const OLDEST: u32 = 21;
const NEWEST: u32 = 23;
pub fn is_built() -> bool {
    paths::tools().join("bin/bpf-linker").exists()
}

/// Whether an LLVM is installed or installable that reads bitcode of this major version.
pub fn can_be_had(llvm: u32) -> bool {
    is_built_for(llvm) || fitting(llvm).any(|major| prefix(major).is_some()) || fitting(llvm).any(is_packaged)
}

pub fn ensure(llvm: u32) -> Result<()> {
    if is_built_for(llvm) {
        return Ok(());
    }
    let major = ensure_llvm(llvm)?;
    let dir = prefix(major).with_context(|| format!("LLVM {major} has no llvm-config"))?;
    let tools = paths::tools();
    eprintln!("setup: building bpf-linker {VERSION} into {}", tools.display());
    let mut cargo = process::cargo();
    cargo.env("LLVM_PREFIX", dir).env_remove("CARGO_TARGET_DIR");
    cargo.args(["install", "--locked", "--force", "--no-default-features", "--features", &format!("llvm-{major}")]);
    process::run(cargo.arg(format!("bpf-linker@{VERSION}")).arg("--root").arg(tools))
        .context("cannot build bpf-linker, which links the eBPF programs")?;
    Ok(fs::write(record(), major.to_string())?)
}

/// A linker without a record was put there by hand: taken as it is.
fn is_built_for(llvm: u32) -> bool {
    let recorded = fs::read_to_string(record()).ok().and_then(|major| major.trim().parse().ok());
    is_built() && recorded.unwrap_or(NEWEST) >= llvm
}

/// The major version of the LLVM that the linker was built with.
fn record() -> PathBuf {
    paths::tools().join("bpf-linker.llvm")
}

/// Newer LLVMs read older bitcode, never the reverse.
fn fitting(llvm: u32) -> impl Iterator<Item = u32> {
    llvm.max(OLDEST)..=NEWEST
}

fn ensure_llvm(llvm: u32) -> Result<u32> {
    let present = fitting(llvm).find(|major| prefix(*major).is_some());
    // Debian's LLVM alone is not enough to link against it; what is installed already costs one query.
    if let Some(major) = present.filter(|major| !is_packaged(*major)) {
        return Ok(major);
    }
    let major = present.or_else(|| fitting(llvm).find(|major| is_packaged(*major)));
    let major = major.with_context(|| {
        format!("bpf-linker needs the development files of LLVM {llvm} (to {NEWEST}): none found: install them and try again")
    })?;
    let (llvm, polly) = (format!("llvm-{major}-dev"), format!("libpolly-{major}-dev"));
    debian::install(&[&llvm, &polly, "zlib1g-dev", "libzstd-dev", "libxml2-dev"])?;
    Ok(major)
}

fn is_packaged(major: u32) -> bool {
    debian::available(&format!("llvm-{major}-dev"))
}

fn prefix(major: u32) -> Option<PathBuf> {
    let versioned = PathBuf::from(format!("/usr/lib/llvm-{major}"));
    if versioned.join("bin/llvm-config").exists() {
        return Some(versioned);
    }
    let own = std::env::var_os("LLVM_PREFIX").map(|dir| Path::new(&dir).join("bin/llvm-config"));
    let named = [format!("llvm-config-{major}"), "llvm-config".to_owned()];
    let found = own.into_iter().chain(named.iter().filter_map(|name| paths::program(name)));
    found
        .filter(|config| ask(config, "--version").is_some_and(|version| version.starts_with(&format!("{major}."))))
        .find_map(|config| ask(&config, "--prefix").map(PathBuf::from))
}

fn ask(config: &Path, question: &str) -> Option<String> {
    process::output(process::command(&config.to_string_lossy()).arg(question)).ok().map(|text| text.trim().to_owned())
}
