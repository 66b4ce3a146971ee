//! The programs of a guest of another architecture: Debian's packages of them, unpacked once.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use super::apt::Apt;
use super::archive::Tree;
use crate::arch::Arch;
use crate::{paths, process};

/// Separated by spaces.
const PACKAGES: &str =
    "busybox-static kmod dash iproute2 nftables iptables conntrack bpftool wireguard-tools util-linux";
const SUITES: &[&str] = &["bookworm", "bookworm-security"];

/// Copies the programs and all libraries into the tree.
pub fn copy<'a>(arch: Arch, programs: impl Iterator<Item = &'a str>, tree: &Tree) -> Result<()> {
    let root = fetch(arch)?;
    for name in programs {
        // `sbin/ip` is a link to `/bin/ip`, which would be this machine's.
        let places = ["usr/sbin", "usr/bin", "sbin", "bin"].map(|dir| root.join(dir).join(name));
        let file = places.iter().find(|path| path.is_file() && !path.is_symlink());
        let file = file.with_context(|| format!("no package has {name} for {}", arch.debian()))?;
        tree.copy(file, &format!("/usr/sbin/{name}"))?;
    }
    for dir in ["lib", "usr/lib"] {
        let to = tree.dir().join(dir);
        fs::create_dir_all(&to)?;
        for entry in fs::read_dir(root.join(dir))? {
            let entry = entry?;
            // The loader, the libraries of this architecture with the plugins of iptables, and those of tc.
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with("ld-linux") || name.ends_with("-linux-gnu") || name == "tc" {
                process::output(process::command("cp").arg("-a").arg(entry.path()).arg(&to))?;
            }
        }
    }
    Ok(())
}

fn fetch(arch: Arch) -> Result<PathBuf> {
    let place = paths::target().join("vm/userland").join(arch.debian());
    if place.exists() {
        return Ok(place);
    }
    eprintln!("vm: fetching the guest's programs for {}", arch.debian());
    let apt = Apt::with(paths::target().join("vm/apt/userland").join(arch.debian()), SUITES, arch)?;
    let partial = place.with_extension(format!("partial-{}", std::process::id()));
    fs::create_dir_all(&partial)?;
    let packages = apt.download_with_dependencies(&PACKAGES.split(' ').collect::<Vec<_>>())?;
    Apt::unpack_all(&packages, &partial)?;
    fs::rename(&partial, &place)?;
    Ok(place)
}
