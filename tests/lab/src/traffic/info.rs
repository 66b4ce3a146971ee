//! What a socket reports about its connection.

use std::os::fd::{AsFd, AsRawFd};

use nix::libc::{self, c_int};
use nix::sys::socket::{getsockopt, setsockopt, sockopt};

/// `TCP_SEND_QUEUE` (uapi/linux/tcp.h)
const TCP_SEND_QUEUE: c_int = 2;
/// `TCP_REPAIR_OFF_NO_WP`: without sending anything
const TCP_REPAIR_OFF_NO_WP: c_int = -1;

/// Number of SYN retransmits of the socket; 0 where the kernel does not provide it.
pub(super) fn retransmits(socket: &impl AsFd) -> u32 {
    // SAFETY: all fields are integers, for which zero is a value.
    let mut info: libc::tcp_info = unsafe { std::mem::zeroed() };
    if get(socket, libc::TCP_INFO, &mut info) { info.tcpi_total_retrans } else { 0 }
}

/// The initial sequence number of a socket that has sent only SYNs; `None` where the kernel does not provide it.
///
/// Read in repair mode (tcp(7), `TCP_REPAIR`), which resets `SO_REUSEADDR`.
pub(super) fn isn(socket: &impl AsFd) -> Option<u32> {
    let reuse = getsockopt(socket, sockopt::ReuseAddr).ok()?;
    let mut next = 0_u32;
    let is_read = set(socket, libc::TCP_REPAIR, 1)
        && set(socket, libc::TCP_REPAIR_QUEUE, TCP_SEND_QUEUE)
        && get(socket, libc::TCP_QUEUE_SEQ, &mut next);
    let is_over = set(socket, libc::TCP_REPAIR, TCP_REPAIR_OFF_NO_WP);
    setsockopt(socket, sockopt::ReuseAddr, &reuse).ok()?;
    (is_read && is_over).then(|| next.wrapping_sub(1))
}

fn set(socket: &impl AsFd, option: c_int, value: c_int) -> bool {
    let (descriptor, length) = (socket.as_fd().as_raw_fd(), size_of::<c_int>() as libc::socklen_t);
    // SAFETY: the descriptor is open as long as `socket`, and the kernel reads `length` bytes, which `value` has.
    unsafe { libc::setsockopt(descriptor, libc::IPPROTO_TCP, option, (&raw const value).cast(), length) == 0 }
}

/// `T` must be a type for which all bytes are valid.
fn get<T: Copy>(socket: &impl AsFd, option: c_int, value: &mut T) -> bool {
    let (descriptor, mut length) = (socket.as_fd().as_raw_fd(), size_of::<T>() as libc::socklen_t);
    let place = (&raw mut *value).cast();
    // SAFETY: the descriptor is open as long as `socket`, and the kernel writes at most `length` bytes, which `value` has.
    unsafe { libc::getsockopt(descriptor, libc::IPPROTO_TCP, option, place, &raw mut length) == 0 }
}
