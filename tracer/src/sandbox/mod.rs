//! Limits this process before it reads a file that may be hostile: whoever takes it over by that file can neither open others, nor
//! reach the network, nor run a program. A live capture gives up the privileges that it no longer needs. docs/security.md lists both.
//!
//! Each part holds as far as the kernel has it. What it does not have is logged (`-v`): the command works all the same.

mod calls;
mod files;
#[cfg(feature = "ebpf")]
mod privileges;

use std::path::{Path, PathBuf};

#[cfg(feature = "ebpf")]
pub use privileges::{Needs, reduce};

/// From here on this process reads these files and no others, writes only below these directories, opens no socket, and runs no
/// program. Files that are open stay open. To be called before other threads are started, which inherit it.
pub fn enter(inputs: &[PathBuf], output_directories: &[&Path]) {
    log("system calls", calls::forbid(calls::OFFLINE));
    log("files", files::only(inputs, output_directories));
}

fn log(what: &str, result: anyhow::Result<()>) {
    match result {
        Ok(()) => log::debug!("{what} are restricted"),
        Err(error) => log::info!("cannot restrict {what}: {error:#}"),
    }
}
