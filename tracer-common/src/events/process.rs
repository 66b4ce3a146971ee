//! `process`: which process has the socket of an attempt open.

use bytemuck::{Pod, Zeroable};

use super::Stamp;
use crate::Flow;

/// Bytes of a process's name (`TASK_COMM_LEN`).
pub const COMMAND_BYTES: usize = 16;

/// The kernel reports the socket after each `syn_retransmit`; user space fills in the process, or drops the event.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Process {
    /// When the SYN was retransmitted; namespace of the socket.
    pub stamp: Stamp,
    /// The socket's own addresses: the original tuple.
    pub flow: Flow,
    /// ISN of the SYN.
    pub isn: u32,
    /// From `sk_socket->file->f_inode->i_ino`, as in the link `/proc/PID/fd/N`, `socket:[...]`; 0 once the process is known
    pub socket: u32,
    /// Process ID as the tracer sees it; 0 until it is known. Of several processes the lowest.
    pub pid: u32,
    /// `/proc/PID/comm`, any bytes; zero beyond its length
    pub command: [u8; COMMAND_BYTES],
}

const _: () = assert!(size_of::<Process>() == 80);
