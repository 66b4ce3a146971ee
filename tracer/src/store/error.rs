//! What can go wrong with a trace, as one line each: what failed: why; what to do.

use std::io;
use std::path::PathBuf;

use nix::errno::Errno;

use super::MAJOR;
use super::appender::Written;
use crate::model::plural;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read {}: {}; {}", path.display(), words(reason), advice(reason))]
    Read { path: PathBuf, reason: io::Error },
    /// `what` is with its article.
    #[error("cannot read {}: this is {what}; name a trace (snatrace record) or a packet capture", path.display())]
    NotATrace { path: PathBuf, what: &'static str },
    #[error("cannot read {}: {what}; without it no event can be judged, use another copy or record again", path.display())]
    DamagedHead { path: PathBuf, what: String },
    #[error("cannot read {}: its format is {major}.{minor}, this snatrace reads up to {MAJOR}.x; use a newer snatrace", path.display())]
    NewerMajor { path: PathBuf, major: u16, minor: u16 },
    /// Traces were joined with `cat`.
    #[error("failed to continue reading {}: another trace begins at byte {at}; keep each trace in its own file and name all files", path.display())]
    SecondTrace { path: PathBuf, at: u64 },
    #[error("cannot merge {} and {}: both are part {part} of the same recording; name each part once", first.display(), second.display())]
    SamePart { first: PathBuf, second: PathBuf, part: u32 },
    #[error("cannot create {}: {}; {}", path.display(), words(reason), if reason.kind() == io::ErrorKind::NotFound {
        "make its directory first"
    } else {
        "name another file"
    })]
    Create { path: PathBuf, reason: io::Error },
    #[error(
        "failed to continue writing {}: {}; {} in {} were written and can be replayed{}",
        path.display(), words(reason), plural(written.events, "event"), plural(written.bytes, "byte"),
        if reason.kind() == io::ErrorKind::StorageFull { ", make room and record again" } else { "" }
    )]
    Write {
        path: PathBuf,
        /// What reached it and the parts before it.
        written: Written,
        reason: io::Error,
    },
}

/// The reason in words, without Rust's error number.
pub fn words(error: &io::Error) -> String {
    error.raw_os_error().map_or_else(|| error.to_string(), |number| Errno::from_raw(number).desc().to_owned())
}

fn advice(error: &io::Error) -> &'static str {
    if error.kind() == io::ErrorKind::NotFound {
        "check the name"
    } else if error.kind() == io::ErrorKind::PermissionDenied {
        "a trace is readable by its owner only, read it as that user or as root"
    } else {
        "name a trace (snatrace record) or a packet capture"
    }
}
