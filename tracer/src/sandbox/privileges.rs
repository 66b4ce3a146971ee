//! Capabilities and user of a live capture, once it is attached.

use anyhow::Context as _;
use caps::{CapSet, Capability, CapsHashSet};
use nix::errno::Errno;
use nix::libc;
use nix::unistd::geteuid;

use super::{calls, log};

/// `nobody` on every distribution: owns nothing.
const NOBODY: libc::uid_t = 65534;

/// What a capture has to do after it is attached.
#[derive(Clone, Copy, Debug)]
pub struct Needs {
    /// Enter other network namespaces, or attach kprobes to a module that is not loaded yet.
    pub admin: bool,
    /// Create and remove files in directories of others: the next file of a recording.
    pub creates_files: bool,
    /// End a command that was started with all privileges.
    pub has_command: bool,
}

/// Keeps the capabilities that attaching to an interface that appears, and looking for owners, need; changes to a user who owns
/// nothing unless files are to be created; refuses system calls that a capture never makes. For this thread and those that it
/// starts from now on. Returns what remains, for people.
pub fn reduce(needs: Needs) -> String {
    let kept = keep(needs);
    let names = match kept.as_deref() {
        Ok([]) => "no capabilities".to_owned(),
        Ok(kept) => kept.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
        Err(_) => "all capabilities".to_owned(),
    };
    log("capabilities", kept.map(drop));
    log("system calls", calls::forbid(&[]));
    format!("user {}, {names}", geteuid())
}

/// What is kept, in a fixed order.
fn keep(needs: Needs) -> anyhow::Result<Vec<Capability>> {
    let held = caps::read(None, CapSet::Permitted)?;
    let kept: Vec<Capability> = wanted(needs).filter(|capability| held.contains(capability)).collect();
    // Needs CAP_SETPCAP, which a service that was started with few capabilities has not.
    for capability in caps::all() {
        let _ = caps::drop(None, CapSet::Bounding, capability);
    }
    let _ = caps::clear(None, CapSet::Ambient);
    let may_leave = [Capability::CAP_SETUID, Capability::CAP_SETGID].iter().all(|needed| held.contains(needed));
    if geteuid().is_root() && may_leave && !needs.creates_files {
        leave_root()?;
    }
    let set: CapsHashSet = kept.iter().copied().collect();
    caps::set(None, CapSet::Effective, &set)?;
    caps::set(None, CapSet::Permitted, &set)?;
    caps::clear(None, CapSet::Inheritable)?;
    Ok(kept)
}

fn wanted(needs: Needs) -> impl Iterator<Item = Capability> {
    let always = [
        // Interfaces that appear.
        Capability::CAP_NET_ADMIN,
        Capability::CAP_BPF,
        Capability::CAP_PERFMON,
        // Owners: namespaces of other processes, directories of runtimes.
        Capability::CAP_SYS_PTRACE,
        Capability::CAP_DAC_READ_SEARCH,
    ];
    let admin = needs.admin.then_some(Capability::CAP_SYS_ADMIN);
    let files = needs.creates_files.then_some(Capability::CAP_DAC_OVERRIDE);
    let command = needs.has_command.then_some(Capability::CAP_KILL);
    always.into_iter().chain(admin).chain(files).chain(command)
}

/// Root without capabilities still owns most files of the system. Of this thread: the C library would change all of them, take the
/// capabilities of those that are to keep some, and abort where one cannot.
fn leave_root() -> anyhow::Result<()> {
    caps::securebits::set_keepcaps(true)?;
    // SAFETY: no group is read from the address, which may be null.
    let done = unsafe { libc::syscall(libc::SYS_setgroups, 0, std::ptr::null::<libc::gid_t>()) };
    Errno::result(done).context("cannot leave the groups")?;
    for call in [libc::SYS_setresgid, libc::SYS_setresuid] {
        // SAFETY: a system call without pointers.
        let done = unsafe { libc::syscall(call, NOBODY, NOBODY, NOBODY) };
        Errno::result(done).context("cannot change the user")?;
    }
    Ok(())
}
