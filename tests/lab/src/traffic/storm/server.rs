//! The storm's server: only accepts. The client ends each connection with an RST.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::socket::{self, AddressFamily, Backlog, SockFlag, SockType, SockaddrIn};

use crate::net::Net;
use crate::netns;

/// The ports that the server accepts on: enough, with all its addresses, that tuples do not run out.
pub(super) const PORTS: std::ops::Range<u16> = 9000..9008;
/// A connection is closed after this many later ones: its client has reset it by then, and closing sends nothing.
const MAX_OPEN: usize = 512;
const STDIN: u64 = u64::MAX;

/// Accepts until standard input ends; prints a line on standard output once it listens.
pub fn serve(net: &Net) -> Result<()> {
    netns::enter(&netns::path(&net.server_ns()))?;
    let listeners = PORTS.map(listen).collect::<Result<Vec<_>>>()?;
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).context("cannot open an epoll")?;
    epoll
        .add(io::stdin(), EpollEvent::new(EpollFlags::EPOLLIN, STDIN))
        .context("cannot wait for standard input: it must be a pipe")?;
    for (index, listener) in listeners.iter().enumerate() {
        epoll.add(listener.as_fd(), EpollEvent::new(EpollFlags::EPOLLIN, index as u64)).context("epoll_ctl")?;
    }
    writeln!(io::stdout(), "listening")?;
    let mut kept = VecDeque::with_capacity(MAX_OPEN + 1);
    let mut events = [EpollEvent::empty(); 16];
    loop {
        let ready = match epoll.wait(&mut events, EpollTimeout::NONE) {
            Ok(ready) => ready,
            Err(Errno::EINTR) => 0,
            Err(errno) => return Err(io::Error::from(errno)).context("the storm's server cannot wait"),
        };
        for event in events.iter().take(ready) {
            // Standard input gets no data: it is readable when it has ended.
            let Some(listener) = usize::try_from(event.data()).ok().and_then(|index| listeners.get(index)) else {
                return Ok(());
            };
            accept_all(listener, &mut kept);
        }
    }
}

fn listen(port: u16) -> Result<OwnedFd> {
    let listener = socket::socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_NONBLOCK, None)
        .context("cannot open a socket for the storm's server")?;
    let address = SockaddrIn::from(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port));
    let what = || format!("the storm's server cannot listen on port {port}");
    socket::bind(listener.as_raw_fd(), &address).with_context(what)?;
    socket::listen(&listener, Backlog::MAXCONN).with_context(what)?;
    Ok(listener)
}

fn accept_all(listener: &OwnedFd, kept: &mut VecDeque<OwnedFd>) {
    // An error is the end of the queue, or a connection that ended in it: epoll reports when there are more.
    while let Ok(raw) = socket::accept4(listener.as_raw_fd(), SockFlag::SOCK_NONBLOCK) {
        // SAFETY: accept4 returned a new descriptor that nothing else owns.
        kept.push_back(unsafe { OwnedFd::from_raw_fd(raw) });
        if kept.len() > MAX_OPEN {
            kept.pop_front();
        }
    }
}
