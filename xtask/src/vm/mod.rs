//! `cargo xtask vm`: runs snatrace, or any command, on real Debian kernels in QEMU. Needs no root.

mod apt;
mod archive;
mod image;
mod initramfs;
mod kernels;
mod modules;
mod qemu;
mod userland;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;

pub use apt::Apt;
pub use kernels::{KERNELS, Kernel, find};
pub use qemu::{Hardware, Job};

use crate::arch::Arch;
use crate::debian;
use crate::{build, setup};

/// Boot Debian kernels in QEMU and run the demo's checks, or COMMAND, in each
#[derive(clap::Args)]
pub struct Args {
    /// Which kernels [default: those that `cargo xtask test` boots]
    #[arg(value_parser = find)]
    kernels: Vec<&'static Kernel>,
    /// Seconds until a VM is stopped
    #[arg(long, default_value_t = 900)]
    timeout: u64,
    /// Use this snatrace instead of building it
    #[arg(long, env = "SNATRACE_BIN")]
    binary: Option<PathBuf>,
    /// Check this container image of `cargo xtask dist` too
    #[arg(long, value_name = "FILE")]
    image: Option<PathBuf>,
    /// Shell script to run inside; words are joined with spaces
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
    let job = Job { image: args.image.clone(), ..Job::new(script, binary, limit) };
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
    let image = image::fetch(kernel)?;
    let initramfs = initramfs::build(kernel, &image, job, binary(kernel.arch, job)?.as_deref())?;
    qemu::run(kernel, &image.vmlinuz, &initramfs, job)
}

/// The snatrace of a guest: a job names the one for this machine's architecture.
fn binary(arch: Arch, job: &Job) -> Result<Option<PathBuf>> {
    match &job.binary {
        Some(_) if !arch.is_host() => build::static_binary_for(arch).map(Some),
        own => Ok(own.clone()),
    }
}
