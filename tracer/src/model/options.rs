//! What the user asked a capture to do: plain values, read from the command line.

use std::ffi::OsString;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use super::{Filter, PolicyChange};

/// Options of a live capture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CaptureOptions {
    /// What was said about the allowed ports, over the default policy.
    pub policy: PolicyChange,
    /// Names of the interfaces that `wire` watches; empty: the uplinks.
    pub interfaces: Vec<String>,
    /// Only NAT in these namespaces; empty: in all.
    pub netns: Vec<PathBuf>,
    /// Where the host's file system is: `/`, or where a container has it mounted.
    pub host_root: PathBuf,
    /// What the node is called; none: its host name.
    pub node: Option<String>,
    /// Only these attempts; the hooks apply what they can.
    pub filter: Filter,
    /// Stop after this long.
    pub duration: Option<Duration>,
    /// Stop after this many findings that the user asked to see.
    pub count: Option<u64>,
    /// Stop when standard input ends.
    pub until_eof: bool,
    /// Created once all hooks are attached.
    pub ready_file: Option<PathBuf>,
    /// Run this once all hooks are attached, and stop when it ends; empty: none.
    pub command: Vec<OsString>,
}

/// Where a recording goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordOptions {
    /// The trace, or the first of several.
    pub file: PathBuf,
    /// Begin another file once one has this many bytes.
    pub rotate_bytes: Option<u64>,
    /// Begin another file after this long, and let each appear under its name once it is complete.
    pub segment: Option<Duration>,
    /// Keep this many files, the newest; counts with one of the two.
    pub keep_files: Option<NonZeroU32>,
    /// Keep so many bytes of files, the newest; counts with one of the two.
    pub max_total: Option<u64>,
}
