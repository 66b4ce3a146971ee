//! System calls that are refused (seccomp). A list of those that are allowed would break with each new C library.

use std::collections::BTreeMap;

use anyhow::Context as _;
use nix::libc;
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch};

/// No process of snatrace that is limited runs programs, looks into other processes, or changes the system.
const ALWAYS: &[libc::c_long] = &[
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_unshare,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_sethostname,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_userfaultfd,
    libc::SYS_open_by_handle_at,
    libc::SYS_io_uring_setup,
];

/// What a process that reads files does not do either. Landlock does not cover owners, modes and signals on every kernel.
pub(super) const OFFLINE: &[libc::c_long] = &[
    libc::SYS_socket,
    libc::SYS_socketpair,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_setns,
    libc::SYS_fchmodat,
    libc::SYS_fchownat,
    libc::SYS_setxattr,
    libc::SYS_kill,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_chmod,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_chown,
];

/// The same calls by the numbers of the x32 ABI.
#[cfg(target_arch = "x86_64")]
const ABIS: [i64; 2] = [0, 1 << 30];
#[cfg(not(target_arch = "x86_64"))]
const ABIS: [i64; 1] = [0];

/// Refuses those and others with EPERM to this thread and to those that it starts; also sets `no_new_privs`.
pub(super) fn forbid(others: &[libc::c_long]) -> anyhow::Result<()> {
    #[allow(clippy::useless_conversion, reason = "c_long is narrower on other machines")]
    let calls = ALWAYS.iter().chain(others).map(|&call| i64::from(call));
    let rules: BTreeMap<i64, _> = calls.flat_map(|call| ABIS.map(|abi| (call | abi, Vec::new()))).collect();
    let arch = TargetArch::try_from(std::env::consts::ARCH).context("no filter for this processor")?;
    let refuse = SeccompAction::Errno(libc::EPERM.cast_unsigned());
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, refuse, arch)?;
    seccompiler::apply_filter(&BpfProgram::try_from(filter)?)?;
    Ok(())
}
