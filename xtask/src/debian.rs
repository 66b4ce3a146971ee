//! Debian's packages: what is missing, whether apt has it, and installing it.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Result, bail};

use crate::setup::consent;
use crate::{paths, process};

/// Installs the packages of programs that are nowhere to be found. Words: `PROGRAM`, or `PROGRAM=PACKAGE` where names differ.
pub fn need(programs: &str) -> Result<()> {
    install(&lacking(programs).collect::<Vec<_>>())
}

/// The packages of those programs that are nowhere to be found.
pub fn lacking(programs: &str) -> impl Iterator<Item = &str> {
    let needs = programs.split(' ').map(|word| word.split_once('=').unwrap_or((word, word)));
    needs.filter(|(program, _)| paths::program(program).is_none()).map(|(_, package)| package)
}

/// Whether packages can be installed here.
pub fn can_install() -> bool {
    is_root() && is_debian()
}

/// Installs those packages that are not installed yet.
pub fn install(packages: &[&str]) -> Result<()> {
    let missing = missing(packages);
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.join(" ");
    if !is_debian() {
        bail!("packages are missing, and this is not Debian: install the equivalents of {list} and try again");
    }
    if !is_root() {
        bail!("packages are missing: installing them needs root: run `apt-get install {list}` as root and try again");
    }
    if missing.iter().any(|package| !has_candidate(package)) {
        update()?;
    }
    consent::ask(&format!("the Debian packages {list}"))?;
    // Package lists older than the mirror's last point release name files that are gone: refresh them once.
    apt_install(&missing).or_else(|_| update().and_then(|()| apt_install(&missing)))
}

/// Whether apt could install it; refreshes the package lists when it does not know the name.
pub fn available(package: &str) -> bool {
    is_debian() && (has_candidate(package) || (is_root() && update().is_ok() && has_candidate(package)))
}

pub fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

pub fn is_debian() -> bool {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    Path::new("/usr/bin/apt-get").exists() && release.lines().any(|line| line == "ID=debian")
}

fn missing<'a>(packages: &[&'a str]) -> Vec<&'a str> {
    // dpkg-query fails when it does not know one of them, and still lists the others.
    let query =
        process::command("dpkg-query").args(["-W", "-f", "${Package} ${db:Status-Status}\n"]).args(packages).output();
    let known = query.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let installed = |package: &str| known.lines().any(|line| line == format!("{package} installed"));
    packages.iter().copied().filter(|package| !installed(package)).collect()
}

fn has_candidate(package: &str) -> bool {
    process::output(process::command("apt-cache").args(["policy", package]))
        .is_ok_and(|policy| policy.lines().any(|line| line.contains("Candidate:") && !line.contains("(none)")))
}

/// At most once per run: the mirror does not change that fast.
fn update() -> Result<()> {
    static UPDATED: AtomicBool = AtomicBool::new(false);
    if UPDATED.swap(true, Ordering::Relaxed) {
        return Ok(());
    }
    process::run(process::command("apt-get").args(["update", "-qq"]))
}

fn apt_install(packages: &[&str]) -> Result<()> {
    let mut command = process::command("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive");
    process::run(command.args(["install", "-y", "-qq", "--no-install-recommends"]).args(packages))
}
