//! One connection from a chosen source port, closed at once with an RST, so that no TIME_WAIT stays on either side.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use nix::libc;
use tokio::net::TcpSocket;
use tokio::time::timeout;

use super::ledger::ProbeAnswer;

/// What came of it, and after how long.
pub(super) async fn ask(port: u16, target: SocketAddr, wait: Duration) -> (ProbeAnswer, Duration) {
    let socket = match bound(port, target) {
        Ok(socket) => socket,
        Err(error) => return (refusal(&error), Duration::ZERO),
    };
    let began = Instant::now();
    let answer = match timeout(wait, socket.connect(target)).await {
        Ok(Ok(stream)) => {
            // Fails only where the connection has ended already.
            let _ = stream.set_zero_linger();
            ProbeAnswer::Accepted
        }
        Ok(Err(error)) => refusal(&error),
        Err(_) => ProbeAnswer::Silent,
    };
    (answer, began.elapsed())
}

fn bound(port: u16, target: SocketAddr) -> io::Result<TcpSocket> {
    let (socket, any): (_, IpAddr) = match target {
        SocketAddr::V4(_) => (TcpSocket::new_v4()?, Ipv4Addr::UNSPECIFIED.into()),
        SocketAddr::V6(_) => (TcpSocket::new_v6()?, Ipv6Addr::UNSPECIFIED.into()),
    };
    // Connections to several targets may have the same port.
    socket.set_reuseaddr(true)?;
    socket.bind(SocketAddr::new(any, port))?;
    Ok(socket)
}

fn refusal(error: &io::Error) -> ProbeAnswer {
    let errno = error.raw_os_error().unwrap_or_default();
    match errno {
        libc::ECONNREFUSED | libc::ECONNRESET => ProbeAnswer::Refused,
        libc::EADDRINUSE | libc::EADDRNOTAVAIL => ProbeAnswer::InUse,
        libc::ETIMEDOUT => ProbeAnswer::Silent,
        libc::EPERM | libc::EACCES | libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::EINVAL => {
            ProbeAnswer::Denied(errno)
        }
        _ => ProbeAnswer::Unreachable(errno),
    }
}

/// The address that connections to this target come from; nothing is sent.
pub(super) fn source(target: SocketAddr) -> io::Result<IpAddr> {
    let any: IpAddr = if target.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind(SocketAddr::new(any, 0))?;
    socket.connect(target)?;
    Ok(socket.local_addr()?.ip())
}
