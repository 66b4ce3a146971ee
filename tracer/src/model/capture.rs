//! What is true of a whole capture: where it was taken, with which clock, policy and hooks. The header of a trace.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{Filter, OwnerAt, Policy};

/// Whether a hook was on, and if not, why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookState {
    /// Stem of the hook.
    pub stem: String,
    /// Why it is off and what that loses, in plain words; `None` when it is on.
    pub off: Option<String>,
}

/// One capture, live or recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capture {
    /// Version of the snatrace that captured.
    pub version: String,
    /// Host name of the node.
    pub node: String,
    /// Kernel release of the node, as `uname -r` prints it.
    pub kernel: String,
    /// Same for all files of one recording: rotation makes several.
    pub session: u64,
    /// Number of the file within the recording, from 0.
    pub part: u32,
    /// Wall-clock time at boot: nanoseconds since 1970-01-01 UTC, to be added to an event's time.
    pub boot_unix_ns: i64,
    /// The node's offset from UTC when the capture began, in seconds, so that a replay elsewhere prints the same times.
    pub utc_offset_s: i32,
    /// The policy that was given live; the default for judging the trace again.
    pub policy: Policy,
    /// Which hooks were on.
    pub hooks: Vec<HookState>,
    /// Addresses of the node where NAT happens: an own address as the source of a forwarded SYN was put there by NAT.
    #[serde(default)]
    pub addresses: Vec<IpAddr>,
    /// Which attempts were captured; a replay shows no others.
    #[serde(default)]
    pub filter: Filter,
    /// The kernel's reasons to drop a packet by number, which differs from kernel to kernel; empty before 5.17.
    #[serde(default)]
    pub drop_reasons: Vec<(u32, String)>,
    /// Who namespaces belonged to when this file was begun: learnt in files before it, which may be gone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owners: Vec<OwnerAt>,
    /// It was made of packet captures: only what packets show is known, and not the addresses of the node.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_of_packets: bool,
}

impl Capture {
    /// When it began, nanoseconds since 1970 UTC: a recording is identified by that. Packet captures have no such number.
    pub fn began_unix_ns(&self) -> Option<i128> {
        (self.session != 0).then_some(self.session.into())
    }
}
