//! Who a network namespace belongs to, learnt live: namespace -> a process in it -> its cgroup -> names.
//!
//! `host` reads the node's files, `processes` knows which processes are where, `cgroup` which pod or container a process is
//! in, `finder` remembers answers and asks no more often than it must. Each of `ALL` turns a place into names. To add one: a
//! file here, a line in `ALL`. Nothing is guessed: where two answers are possible there is none.

mod cgroup;
mod container;
mod finder;
mod host;
mod pod;
mod processes;
mod sockets;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::time::SystemTime;

use crate::model::Owner;
use cgroup::CgroupOwner;
pub use finder::Finder;
pub use host::Host;

/// Names for a place.
#[derive(Debug)]
struct Found {
    owner: Owner,
    /// The answer holds no longer when this directory is changed.
    watch: Option<(PathBuf, SystemTime)>,
}

/// Turns a place into names, where it knows that kind of place and there are names.
type Enricher = fn(&Host, &CgroupOwner) -> Option<Found>;

const ALL: &[Enricher] = &[pod::find, container::find];

/// Longest name that is believed: that of a pod can be so long.
const MAX_NAME_LEN: usize = 253;

/// Whether it can be the name of a pod, namespace or container: other text never becomes a name.
fn is_name(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    let starts_well = text.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric);
    text.len() <= MAX_NAME_LEN && starts_well && text.bytes().all(is_plain)
}
