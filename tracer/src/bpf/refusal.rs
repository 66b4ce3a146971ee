//! Why the kernel refuses a map or a program, in one line: it answers with a number, and with kilobytes of its verifier's log.

use std::error::Error;
use std::fs;
use std::io;

use anyhow::anyhow;
use aya::maps::MapError;
use aya::programs::ProgramError;
use aya::{Ebpf, EbpfError};
use nix::errno::Errno;

use crate::shortage;

const LOCKDOWN: &str = "/sys/kernel/security/lockdown";

/// The error without the verifier's log; that is in the debug log.
pub(super) fn of_program(error: &anyhow::Error) -> String {
    let mut words = Vec::new();
    for cause in error.chain() {
        match cause.downcast_ref::<ProgramError>() {
            Some(ProgramError::LoadError { io_error, verifier_log }) => {
                let log = verifier_log.to_string();
                log::debug!("the verifier's log: {log}");
                words.push(reason(io_error, &log, &lockdown()));
                return words.join(": ");
            }
            _ => match shortage::of([cause]) {
                Some(why) => words.push(why.to_owned()),
                None => words.push(cause.to_string()),
            },
        }
    }
    // Errors that quote their own cause would say it twice.
    words.dedup_by(|later, earlier| earlier.ends_with(later.as_str()));
    words.join(": ")
}

/// Why programs cannot be loaded at all; else what loading these does.
pub(super) fn of_loading(
    ebpf: &mut anyhow::Result<Ebpf>,
    load: impl FnOnce(&mut Ebpf) -> anyhow::Result<()>,
) -> Option<String> {
    match ebpf {
        Ok(ebpf) => load(ebpf).err().map(|error| of_program(&error)),
        Err(error) => Some(format!("{error:#}")),
    }
}

/// Why the maps cannot be made.
pub(super) fn of_maps(error: EbpfError) -> anyhow::Error {
    let EbpfError::MapError(MapError::CreateError { name, io_error }) = &error else {
        return anyhow!(error).context("cannot load the eBPF object");
    };
    let errno = io_error.raw_os_error().map_or(Errno::UnknownErrno, Errno::from_raw);
    let why = match (name.as_str(), shortage::words(errno)) {
        ("EVENTS", _) if errno == Errno::EINVAL => {
            "this kernel has no BPF ring buffer: Linux 5.8 or newer is needed".to_owned()
        }
        (name, Some(why)) => format!("the map {name}: {why}"),
        (_, None) if errno == Errno::EPERM => {
            "run as root, or with CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN, and before Linux 5.11 with CAP_SYS_RESOURCE or more \
             locked memory (ulimit -l)"
                .to_owned()
        }
        (name, None) => format!("the map {name}: {errno}"),
    };
    anyhow!("cannot load the eBPF maps: {why}")
}

/// Whether the kernel does not permit it.
pub(super) fn is_forbidden(error: &(dyn Error + 'static)) -> bool {
    has_kind(error, io::ErrorKind::PermissionDenied)
}

/// Whether the error, or one that it comes from, is of this kind.
pub(super) fn has_kind(error: &(dyn Error + 'static), kind: io::ErrorKind) -> bool {
    let is =
        |error: &(dyn Error + 'static)| error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == kind);
    anyhow::Chain::new(error).any(is)
}

fn reason(error: &io::Error, log: &str, lockdown: &str) -> String {
    // A helper that lockdown forbids is unknown to the verifier, which names it.
    let is_helper =
        log.contains("bpf_probe_read") && (log.contains("unknown func") || log.contains("cannot use helper"));
    if lockdown.contains("[confidentiality]") || is_helper && error.raw_os_error() == Some(Errno::EINVAL as i32) {
        return "kernel lockdown (confidentiality) forbids programs that read kernel memory".to_owned();
    }
    let errno = error.raw_os_error().map_or(Errno::UnknownErrno, Errno::from_raw);
    let said = || log.lines().map(str::trim).rfind(|line| !line.is_empty() && !is_statistics(line)).unwrap_or_default();
    match shortage::words(errno) {
        Some(why) => why.to_owned(),
        None if said().is_empty() => error.to_string(),
        None => format!("{error}: the verifier says: {}", said()),
    }
}

/// What the verifier writes at its end in any case.
fn is_statistics(line: &str) -> bool {
    ["processed ", "verification time ", "stack depth "].iter().any(|start| line.starts_with(start))
}

fn lockdown() -> String {
    fs::read_to_string(LOCKDOWN).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "0: R1=ctx()\n12: (85) call bpf_probe_read_kernel#113\nunknown func bpf_probe_read_kernel#113\nprocessed 12 insns\n";

    #[test]
    fn lockdown_is_one_line() {
        let error = io::Error::from_raw_os_error(Errno::EINVAL as i32);
        let lockdown = "kernel lockdown (confidentiality) forbids programs that read kernel memory";
        assert_eq!(reason(&error, LOG, ""), lockdown);
        assert_eq!(reason(&error, "", "none integrity [confidentiality]"), lockdown);
    }

    #[test]
    fn maps_that_cannot_be_made_say_what_is_missing() {
        let of = |name: &str, errno: Errno| {
            let io_error = io::Error::from_raw_os_error(errno as i32);
            of_maps(EbpfError::MapError(MapError::CreateError { name: name.to_owned(), io_error })).to_string()
        };
        assert!(
            of("EVENTS", Errno::EINVAL).ends_with("this kernel has no BPF ring buffer: Linux 5.8 or newer is needed")
        );
        assert!(of("SEEN", Errno::EMFILE).contains("the map SEEN: too few file descriptors"));
        assert!(of("SEEN", Errno::ENOMEM).contains("too little memory"));
        assert!(of("SEEN", Errno::EPERM).contains("locked memory (ulimit -l)"));
        let netlink = anyhow::Error::from(io::Error::from_raw_os_error(Errno::EMFILE as i32))
            .context("cannot open a netlink socket");
        assert!(of_program(&netlink).starts_with("cannot open a netlink socket: too few file descriptors"));
    }

    #[test]
    fn resources_are_named_and_else_the_last_word_of_the_verifier() {
        let of = |errno: Errno, log| reason(&io::Error::from_raw_os_error(errno as i32), log, "[none]");
        assert!(of(Errno::EMFILE, "").contains("ulimit -n"));
        assert!(of(Errno::ENOMEM, LOG).contains("too little memory"));
        let said = of(Errno::EACCES, "1: (95) exit\nR0 !read_ok\nprocessed 2 insns\nstack depth 0\n");
        assert!(said.ends_with("the verifier says: R0 !read_ok"), "{said}");
    }
}
