//! `cargo xtask vm`: runs snatrace, or any command, on real Debian kernels in QEMU. Needs no root.

mod kernels;
mod qemu;

use std::path::PathBuf;
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};

pub use kernels::{KERNELS, Kernel, find};
pub use qemu::{Hardware, Job};

use crate::{build, debian, paths, process, setup};

/// Boot Debian kernels in QEMU and run the checks of `cargo xtask test`, or COMMAND, in each
#[derive(clap::Args)]
pub struct Args {
    /// Kernels to boot [default: those that `cargo xtask test` boots]
    #[arg(value_parser = find)]
    kernels: Vec<&'static Kernel>,
    /// Stop a VM after this many seconds
    #[arg(long, default_value_t = 900)]
    timeout: u64,
    /// Use this snatrace binary instead of building one
    #[arg(long, env = "SNATRACE_BIN")]
    binary: Option<PathBuf>,
    /// Shell script to run in the guest; words are joined with spaces
    #[arg(last = true)]
    command: Vec<String>,
}

/// What goes into the guest, and what builds and runs it.
pub const NEEDS: &str = "depmod=kmod cpio xz=xz-utils busybox=busybox-static dash ip=iproute2 nft=nftables \
    xtables-nft-multi=iptables conntrack bpftool wg=wireguard-tools setpriv=util-linux";

/// What each kernel must pass, in one shell; `late.sh` has to come before anything loads nf_nat.
pub const CHECKS: &str = concat!(
    include_str!("checks/begin.sh"),
    include_str!("checks/late.sh"),
    include_str!("checks/scenarios.sh"),
    include_str!("checks/doctor.sh"),
    include_str!("checks/uplinks.sh"),
    include_str!("checks/unprivileged.sh"),
    include_str!("checks/killed.sh"),
    include_str!("checks/unwatched.sh"),
    include_str!("checks/image.sh"),
    include_str!("checks/end.sh"),
);

pub fn run(args: &Args) -> Result<ExitCode> {
    let defaults = || KERNELS.iter().filter(|kernel| !kernel.extra).collect();
    let chosen: Vec<&Kernel> = if args.kernels.is_empty() { defaults() } else { args.kernels.clone() };
    need(&chosen)?;
    let binary = match &args.binary {
        Some(binary) => Some(binary.clone()),
        None if args.command.is_empty() => {
            setup::toolchain_and_linker()?;
            Some(build::static_binary()?)
        }
        None => build::built_static_binary()?,
    };
    let limit = Duration::from_secs(args.timeout);
    let script = if args.command.is_empty() { CHECKS.to_owned() } else { args.command.join(" ") };
    let job = Job::new(script, binary, limit);
    let mut worst = 0;
    for kernel in chosen {
        let code = boot(kernel, &job)?;
        eprintln!("vm: {}: exit code {code}", kernel.label);
        worst = worst.max(code);
    }
    Ok(ExitCode::from(worst))
}

/// Installs what booting these kernels needs.
pub fn need(kernels: &[&Kernel]) -> Result<()> {
    debian::need(NEEDS)?;
    kernels.iter().try_for_each(|kernel| kernel.arch.need_qemu())
}

/// Boots one kernel, streams what the guest writes, returns the exit code of what ran inside.
pub fn boot(kernel: &Kernel, job: &Job) -> Result<u8> {
    let arch = kernel.arch;
    // A job names the snatrace for this machine's architecture.
    let binary = match &job.binary {
        Some(_) if !arch.is_host() => Some(build::static_binary_for(arch)?),
        own => own.clone(),
    };
    let cache = paths::target().join("vm");
    let mut fetch = process::command("xtask/src/vm/kernel.sh");
    fetch.arg(&cache).args([kernel.label, kernel.line, kernel.flavour, arch.debian()]).args(kernel.suites);
    let files = process::output(fetch.stderr(Stdio::inherit()))?;
    let (vmlinuz, modules) =
        files.trim().split_once('\n').context("kernel.sh printed no paths of a kernel and its modules")?;

    let run = cache.join("run");
    std::fs::create_dir_all(&run)?;
    let initramfs = run.join(format!("{}-{}.cpio", kernel.label, std::process::id()));
    let mut build = process::command("xtask/src/vm/initramfs.sh");
    build.arg(&initramfs).args([modules, kernel.label, arch.console()]).args(&job.programs);
    build.env("SCRIPT", &job.script).env("ARCH", arch.debian()).env("STRIP", arch.tool("strip")).env("CACHE", &cache);
    build.env("BINARY", binary.unwrap_or_default()).env("IMAGE", job.image.clone().unwrap_or_default());
    process::output(build.stderr(Stdio::inherit()))?;
    qemu::run(kernel, vmlinuz, &initramfs, job)
}
