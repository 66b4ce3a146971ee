//! Steps that run cargo's tests. In the package `tests`, targets whose names begin with `lab` or `dist` need root,
//! those with `kube` the tools of Kubernetes.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result};

use super::report::{Skipped, skipped};
use crate::arch::Arch;
use crate::debian;
use crate::dist::{self, Release};
use crate::setup::consent;
use crate::{build, fuzz, paths, process};

/// What the lab's tests call.
const LAB: &str = "ip=iproute2 nft=nftables iptables conntrack ipset tcpdump editcap=wireshark-common bpftool runc \
    mkfs.ext4=e2fsprogs promtool=prometheus";

/// Programs that write NAT rules, which the lab runs in a namespace.
const PROGRAMS: &str = "firewalld dbus-daemon dockerd=docker.io";

pub fn unit() -> Result<()> {
    let words = "test --workspace --exclude tracer-ebpf --exclude tests";
    process::run_and_repeat(process::cargo().args(words.split(' ')))
}

pub fn whole() -> Result<()> {
    run_targets(|name| !["lab", "dist", "kube", "readers"].iter().any(|group| name.starts_with(group)))
}

/// What reads the files that `export` writes.
const READERS: &str = "tshark capinfos=wireshark-common java=default-jre-headless python3";
/// The packages, half a gigabyte, in an environment of their own.
const INSTALL_READERS: &str = "python3 -m venv \"$1\" && \"$1/bin/pip\" install --quiet duckdb pyarrow pandas pyspark";

pub fn readers() -> Result<()> {
    debian::need(READERS).context(Skipped("programs that read exports are missing"))?;
    let venv = paths::target().join("readers");
    let python = venv.join("bin/python3");
    let is_there = process::command(&python.to_string_lossy())
        .args(["-c", "import duckdb, pyarrow, pandas, pyspark"])
        .stderr(Stdio::null())
        .status();
    if !is_there.is_ok_and(|status| status.success()) {
        consent::ask(&format!("the Python packages duckdb, pyarrow, pandas and pyspark in {}", venv.display()))?;
        debian::install(&["python3-venv"])
            .and_then(|()| process::run(process::command("sh").args(["-c", INSTALL_READERS, "sh"]).arg(&venv)))
            .context(Skipped("cannot install the Python packages"))?;
    }
    let words = "test --package tests --no-default-features --test readers -- --include-ignored";
    process::run_and_repeat(process::cargo().env("SNATRACE_PYTHON", &python).args(words.split(' ')))
}

/// What the tests of packages call.
const DIST: &str = "lintian rpm busybox=busybox-static rpmlint systemd-analyze=systemd";

/// Packages of this machine's architecture. What builds them is not built here, for that takes minutes.
pub fn dist() -> Result<()> {
    if !dist::are_tools_installed() {
        return Err(skipped("no cargo-deb: `cargo xtask dist` installs it"));
    }
    if !debian::can_install() {
        return Err(skipped("installing packages needs root and Debian"));
    }
    debian::need(DIST)?;
    debian::need(LAB)?;
    let dir = paths::target().join("dist-test");
    dist::all(&Release::read()?, &Arch::host().into_iter().collect::<Vec<_>>(), None, &dir)?;
    run_targets(|name| name.starts_with("dist"))
}

/// The corpus is replayed by `whole`; what is not installed yet is not built here, for that takes minutes.
pub fn fuzz() -> Result<()> {
    if !fuzz::is_installed() {
        return Err(skipped("no cargo-fuzz: `cargo xtask fuzz` installs it; `whole` replays the corpus"));
    }
    fuzz::TARGETS.iter().try_for_each(|target| fuzz::fuzz(target, 20))
}

pub fn lab() -> Result<()> {
    if !debian::is_root() {
        return Err(skipped("network namespaces need root: run `cargo xtask test` as root"));
    }
    process::output(process::command("unshare").args(["--net", "true"]))
        .context(Skipped("this machine cannot create network namespaces"))?;
    debian::need(LAB)?;
    // systemd would start them, and they would write rules of the machine.
    if !Path::new("/run/systemd/system").exists() && debian::lacking(PROGRAMS).all(debian::available) {
        debian::need(PROGRAMS)?;
    }
    run_targets(|name| name.starts_with("lab"))
}

fn run_targets(is_wanted: fn(&str) -> bool) -> Result<()> {
    run_with(&[("SNATRACE_BIN", &build::static_binary()?)], is_wanted)
}

/// Runs those targets of the package `tests`, with these variables.
pub fn run_with(variables: &[(&str, &Path)], is_wanted: fn(&str) -> bool) -> Result<()> {
    let mut cargo = process::cargo();
    cargo.env("SNATRACE_DIST", paths::target().join("dist-test")).envs(variables.iter().copied());
    cargo.args(["test", "--package", "tests", "--no-fail-fast"]);
    // A target is a file: cargo finds them, none is listed.
    for entry in fs::read_dir(paths::root().join("tests/tests"))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if let Some(target) = name.strip_suffix(".rs").filter(|target| is_wanted(target)) {
            cargo.args(["--test", target]);
        }
    }
    // A plain `cargo test` ignores what needs root or the release binary; both are there now.
    process::run_and_repeat(cargo.args(["--", "--include-ignored"]))
}
