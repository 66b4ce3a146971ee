//! SYNs from a raw socket on the node that get no answer: any number of attempts that stay open.
//!
//! The load of `cargo xtask bench live memory`. Their checksum is wrong, so the server drops them.

use std::net::{IpAddr, SocketAddrV4};
use std::os::fd::AsRawFd;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::sys::socket::{self, AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrIn};

use super::segment;
use crate::net::{CLOSED_PORT, Family, Net};
use crate::netns;

/// SYNs between two pauses, so that a million take about 20 s: faster than any node, and less than idle attempts live.
const BURST: u32 = 500;
const PAUSE: Duration = Duration::from_millis(10);

/// Sends SYNs, each with an ISN of its own.
pub fn run(net: &Net, count: u32) -> Result<()> {
    netns::enter(&netns::path(&net.node_ns()))?;
    let (IpAddr::V4(node), IpAddr::V4(server)) = (net.node(Family::V4), net.server(Family::V4, 1)) else {
        bail!("the flood supports IPv4 only");
    };
    let flags = SockFlag::SOCK_CLOEXEC;
    let socket = socket::socket(AddressFamily::Inet, SockType::Raw, flags, SockProtocol::Tcp)
        .context("cannot open a raw socket")?;
    let (dst, to) = (SocketAddrV4::new(server, CLOSED_PORT), SockaddrIn::from(SocketAddrV4::new(server, 0)));
    for number in 0..count {
        let [.., high, low] = number.to_be_bytes();
        let src = SocketAddrV4::new(node, u16::from_be_bytes([high | 0x80, low]));
        // An odd factor gives each number its own ISN, spread over all of them.
        let mut syn = segment::syn(src, dst, number.wrapping_mul(0x9E37_79B1));
        syn[16] = !syn[16];
        match socket::sendto(socket.as_raw_fd(), &syn, &to, MsgFlags::empty()) {
            Ok(_) => {}
            Err(Errno::ENOBUFS) => thread::sleep(PAUSE),
            Err(errno) => return Err(errno).context("cannot send a SYN"),
        }
        if number % BURST == 0 {
            thread::sleep(PAUSE);
        }
    }
    Ok(())
}
