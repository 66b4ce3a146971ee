//! Which process has the socket of an attempt open.

use std::borrow::Cow;

use tracer_common::events::{self, COMMAND_BYTES};

/// A process, as `/proc` showed it while it had the socket open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process {
    /// Process ID on the node.
    pub pid: u32,
    command: [u8; COMMAND_BYTES],
}

impl Process {
    /// From an event; `None` where it names no process.
    pub const fn of(event: &events::Process) -> Option<Self> {
        if event.pid == 0 { None } else { Some(Self { pid: event.pid, command: event.command }) }
    }

    /// The name that it gives itself (`/proc/PID/comm`): any text, control characters included.
    pub fn command(&self) -> Cow<'_, str> {
        let end = self.command.iter().position(|&byte| byte == 0).unwrap_or(COMMAND_BYTES);
        String::from_utf8_lossy(self.command.get(..end).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_may_fill_its_field_and_hold_any_bytes() {
        let command = |bytes: &[u8; COMMAND_BYTES]| Process { pid: 1, command: *bytes }.command().into_owned();
        assert_eq!(command(b"curl\0\0\0\0\0\0\0\0\0\0\0\0"), "curl");
        assert_eq!(command(b"sixteen-bytes-xx"), "sixteen-bytes-xx");
        assert_eq!(command(b"\xff\x1b[31m\n\0\0\0\0\0\0\0\0\0"), "\u{fffd}\u{1b}[31m\n");
    }
}
