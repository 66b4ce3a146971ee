//! Listens to what the kernel announces over route netlink.

use std::io::ErrorKind;

use anyhow::Context as _;
use netlink_sys::{Socket, protocols::NETLINK_ROUTE};
use nix::libc;

use crate::netlink::messages;

/// Groups of announcements (linux/rtnetlink.h): links, filters, addresses, routes and rules of both families, nexthop objects.
const GROUPS: [u32; 9] = [1, 4, 5, 7, 8, 9, 11, 19, 32];
/// Bytes of announcements that may wait: hundreds of pods may come at once.
const BUFFER: usize = 1 << 20;

/// Announcements of changes in the namespace that it was opened in.
pub(super) struct Monitor(Socket);

impl Monitor {
    /// In the namespace of this thread.
    pub(super) fn open() -> anyhow::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE).context("cannot open a netlink socket")?;
        socket.bind_auto()?;
        socket.set_non_blocking(true)?;
        let _ = socket.set_rx_buf_sz(BUFFER as libc::c_int);
        for group in GROUPS {
            // Older kernels do not have all.
            if let Err(error) = socket.add_membership(group) {
                log::debug!("netlink: no announcements of group {group}: {error}");
            }
        }
        Ok(Self(socket))
    }

    /// Hands over what was announced since the last call; whether something was missed.
    pub(super) fn read(&self, mut visit: impl FnMut(u16, &[u8])) -> anyhow::Result<bool> {
        let mut has_missed = false;
        loop {
            match self.0.recv_from_full() {
                Ok((datagram, _)) => messages(&datagram).for_each(|(kind, body)| visit(kind, body)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(has_missed),
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => has_missed = true,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("cannot follow the interfaces"),
            }
        }
    }
}
