//! What a socket itself says of its connection.

use std::os::fd::AsRawFd;

use nix::libc;

/// How many times the socket sent its SYN again; 0 where it does not say.
pub(super) fn retransmits(socket: &impl AsRawFd) -> u32 {
    // SAFETY: all fields are integers, for which zero is a value.
    let mut info: libc::tcp_info = unsafe { std::mem::zeroed() };
    let mut length = size_of::<libc::tcp_info>() as libc::socklen_t;
    let place = (&raw mut info).cast();
    // SAFETY: the descriptor is open as long as `socket`, and the kernel writes at most `length` bytes.
    let result =
        unsafe { libc::getsockopt(socket.as_raw_fd(), libc::IPPROTO_TCP, libc::TCP_INFO, place, &raw mut length) };
    if result == 0 { info.tcpi_total_retrans } else { 0 }
}
