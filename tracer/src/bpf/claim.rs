//! A handle for the filters of this run that no other run has, and whether a handle still belongs to one.
//!
//! Process ids are no proof of a running snatrace: in each of two containers snatrace is process 1. A name among the abstract sockets of the
//! network namespace does: everybody in it sees the same names, and the kernel frees one however its owner ends.

use std::io::{self, ErrorKind};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use anyhow::Context as _;

/// The first handle: those from 1 on are what other tools take, and who replaces a filter replaces it by its handle.
const FIRST: u32 = 0x534e_0000;
/// More runs than will ever watch an interface at once.
const ATTEMPTS: u32 = 4096;

/// A handle on an interface, ours as long as this lives.
#[derive(Debug)]
pub(super) struct InterfaceClaim {
    handle: u32,
    _name: UnixDatagram,
}

impl InterfaceClaim {
    /// Takes a handle for an interface of the namespace that this thread is in.
    pub(super) fn take(interface: u32) -> anyhow::Result<Self> {
        for handle in FIRST..FIRST + ATTEMPTS {
            match bind(interface, handle) {
                Ok(name) => return Ok(Self { handle, _name: name }),
                Err(error) if error.kind() == ErrorKind::AddrInUse => {}
                Err(error) => {
                    return Err(error).context("cannot hold an abstract socket, which marks a filter as in use");
                }
            }
        }
        anyhow::bail!("no handle is free for a filter: `ss -xa` lists who holds @snatrace-wire-{interface}-*")
    }

    pub(super) const fn handle(&self) -> u32 {
        self.handle
    }
}

/// Whether another process may be using the handle; `true` where that cannot be determined.
pub(super) fn is_held(interface: u32, handle: u32) -> bool {
    bind(interface, handle).is_err()
}

fn bind(interface: u32, handle: u32) -> io::Result<UnixDatagram> {
    let name = format!("snatrace-wire-{interface}-{handle}");
    UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(name)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_belongs_to_one_claim_for_as_long_as_it_lives() {
        // No interface has this number.
        let interface = u32::MAX;
        let (one, other) = (InterfaceClaim::take(interface).unwrap(), InterfaceClaim::take(interface).unwrap());
        assert_ne!(one.handle(), other.handle());
        let handle = one.handle();
        assert!(is_held(interface, handle) && !is_held(interface - 1, handle));
        drop(one);
        assert!(!is_held(interface, handle) && is_held(interface, other.handle()));
    }
}
