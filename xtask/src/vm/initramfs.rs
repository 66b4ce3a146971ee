//! What a guest consists of: a shell, the networking tools with their libraries, snatrace and its lab, and the script to run.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::archive::Tree;
use super::image::Image;
use super::kernels::Kernel;
use super::qemu::Job;
use super::{modules, userland};
use crate::{build, dist, paths, process};

/// Separated by spaces.
const PROGRAMS: &str =
    "busybox kmod dash ip tc nft conntrack bpftool wg setpriv xtables-nft-multi xtables-legacy-multi";

/// One archive after the other: the kernel unpacks them all.
pub fn build(kernel: &Kernel, image: &Image, job: &Job, binary: Option<&Path>) -> Result<PathBuf> {
    let dir = paths::target().join("vm/run");
    let name = format!("{}-{}", kernel.label, std::process::id());
    let tree = Tree::new(&dir)?;
    fill(&tree, kernel, job, binary)?;
    let initramfs = dir.join(format!("{name}.cpio"));
    tree.pack(&initramfs)?;
    let mut whole = fs::OpenOptions::new().append(true).open(&initramfs)?;
    io::copy(&mut fs::File::open(modules::archive(image)?)?, &mut whole)?;
    Ok(initramfs)
}

fn fill(tree: &Tree, kernel: &Kernel, job: &Job, binary: Option<&Path>) -> Result<()> {
    if kernel.arch.is_host() {
        copy_own_programs(tree, job)?;
    } else {
        userland::copy(kernel.arch, PROGRAMS.split(' '), tree)?;
    }
    tree.link("/usr/sbin/dash", "/bin/sh")?;
    tree.link("/usr/sbin/kmod", "/sbin/modprobe")?;
    for (program, variant) in
        [("xtables-nft-multi", ""), ("xtables-nft-multi", "-nft"), ("xtables-legacy-multi", "-legacy")]
    {
        for (family, verb) in
            ["iptables", "ip6tables"].into_iter().flat_map(|ip| ["", "-save", "-restore"].map(|verb| (ip, verb)))
        {
            tree.link(program, &format!("/usr/sbin/{family}{variant}{verb}"))?;
        }
    }
    if let Some(binary) = binary {
        for (file, name) in [(binary.to_path_buf(), "snatrace"), (build::lab_beside(binary), "snatrace-lab")] {
            tree.copy(&file, &format!("/usr/sbin/{name}"))?;
            // Symbols only cost memory in the guest; where strip is missing they stay.
            let _ = process::output(
                process::command(&kernel.arch.tool("strip")).arg(tree.dir().join("usr/sbin").join(name)),
            );
        }
    }
    if let Some(image) = &job.image {
        dist::unpack_image(image, kernel.arch, &tree.dir().join("image"))?;
    }
    tree.write("/etc/hostname", &format!("vm-{}\n", kernel.label))?;
    tree.write("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\n")?;
    tree.write("/etc/hosts", "127.0.0.1 localhost\n::1 localhost\n")?;
    tree.write("/script", &job.script)?;
    tree.write("/init", &include_str!("init.sh").replace("ttyS0", kernel.arch.console()))?;
    Ok(fs::set_permissions(tree.dir().join("init"), fs::Permissions::from_mode(0o755))?)
}

/// The programs of this machine with their libraries.
fn copy_own_programs(tree: &Tree, job: &Job) -> Result<()> {
    let mut files = BTreeSet::new();
    for name in PROGRAMS.split(' ') {
        let program = paths::program(name).with_context(|| format!("{name} is missing: it goes into the VM"))?;
        files.extend(libraries(&program)?);
        tree.copy(&program, &format!("/usr/sbin/{name}"))?;
    }
    for program in &job.programs {
        files.extend(libraries(program)?);
        let name = program.file_name().with_context(|| format!("{} is no program", program.display()))?;
        tree.copy(program, &format!("/usr/sbin/{}", name.to_string_lossy()))?;
    }
    files.extend(plugins()?);
    files.iter().try_for_each(|file| tree.copy(file, &file.to_string_lossy()))
}

/// What the loader would load, the loader included.
fn libraries(program: &Path) -> Result<Vec<PathBuf>> {
    // ldd fails for a static program, which needs nothing.
    let listed = process::command("ldd").arg(program).output().context("running ldd")?;
    let text = String::from_utf8_lossy(&listed.stdout).into_owned();
    Ok(text.split_whitespace().filter(|word| word.starts_with('/')).map(PathBuf::from).collect())
}

/// iptables and tc load their matches, targets and distributions from directories.
fn plugins() -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let tables = fs::read_dir("/usr/lib")?.filter_map(Result::ok).map(|entry| entry.path().join("xtables"));
    for dir in tables.chain(["/usr/lib/tc", "/usr/lib/xtables"].map(PathBuf::from)) {
        let Ok(entries) = fs::read_dir(&dir) else { continue };
        files.extend(entries.filter_map(Result::ok).map(|entry| entry.path()).filter(|path| path.is_file()));
    }
    Ok(files)
}
