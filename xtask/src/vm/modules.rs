//! The kernel modules a guest can load: networking with all that it depends on, loaded by the kernel as it needs them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::archive::Tree;
use super::image::{Image, still_good};
use crate::process;

/// Directories below kernel/net taken whole, so that a new nft or iptables expression needs no change here.
const DIRECTORIES: &[&str] =
    &["netfilter", "ipv4", "ipv6", "bridge", "sched", "8021q", "packet", "core", "unix", "netlink"];
const DRIVERS: &[&str] = &["veth", "vxlan", "dummy", "tun", "macvlan", "ipvlan", "geneve", "wireguard", "vrf"];

/// The archive with the modules of this kernel, built once.
pub fn archive(image: &Image) -> Result<PathBuf> {
    let archive = image.dir.join("modules.cpio");
    if still_good(&archive)? {
        return Ok(archive);
    }
    let tree = Tree::new(&image.dir)?;
    let base = format!("lib/modules/{}", image.release);
    depmod(&image.dir, &image.release)?;
    for module in wanted(&image.dir.join(&base).join("modules.dep"))? {
        tree.copy(&image.dir.join(&base).join(&module), &format!("{base}/{module}"))?;
    }
    for list in ["modules.order", "modules.builtin", "modules.builtin.modinfo"] {
        tree.copy(&image.dir.join(&base).join(list), &format!("{base}/{list}"))?;
    }
    process::output(process::command("find").arg(tree.dir()).args(["-name", "*.xz", "-exec", "xz", "-d", "{}", "+"]))?;
    depmod(tree.dir(), &image.release)?;
    tree.pack(&archive)?;
    Ok(archive)
}

fn depmod(dir: &Path, release: &str) -> Result<()> {
    let program = crate::paths::program("depmod").context("depmod is missing: install kmod")?;
    process::output(process::command(&program.to_string_lossy()).arg("-b").arg(dir).arg(release))?;
    Ok(())
}

/// What is listed above and everything it needs; depmod lists dependencies in full.
fn wanted(list: &Path) -> Result<BTreeSet<String>> {
    let text = fs::read_to_string(list).with_context(|| format!("reading {}", list.display()))?;
    let needs: BTreeMap<&str, &str> = text.lines().filter_map(|line| line.split_once(':')).collect();
    let chosen = needs.iter().filter(|(module, _)| is_wanted(module));
    let all = chosen.flat_map(|(module, needs)| std::iter::once(*module).chain(needs.split_whitespace()));
    Ok(all.map(str::to_owned).collect())
}

fn is_wanted(module: &str) -> bool {
    let stem = module.rsplit('/').next().and_then(|file| file.split('.').next()).unwrap_or_default();
    module
        .strip_prefix("kernel/net/")
        .and_then(|path| path.split('/').next())
        .is_some_and(|dir| DIRECTORIES.contains(&dir))
        || (module.starts_with("kernel/drivers/net/") && DRIVERS.contains(&stem))
        // nf_tables takes a checksum from whatever offers it, which depmod does not list as a dependency.
        || stem.starts_with("crc32c")
}
