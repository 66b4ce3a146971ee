//! The file that a trace is written to: created for its owner only, never a directory or a disk.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use super::{Error, STDIO};

/// Read and write for the owner: a trace names everyone's peers.
const MODE: u32 = 0o600;

/// Opens the file for writing from its beginning; what was in it is gone. `-` is standard output.
pub fn create(path: &Path) -> Result<File, Error> {
    let result = if path.as_os_str() == STDIO { stdout() } else { open(path) };
    result.map_err(|reason| Error::Create { path: path.to_owned(), reason })
}

fn stdout() -> io::Result<File> {
    let stdout = io::stdout();
    if stdout.is_terminal() {
        return Err(io::Error::other("standard output is a terminal, and a trace is not text"));
    }
    Ok(File::from(stdout.as_fd().try_clone_to_owned()?))
}

/// An existing file is emptied only after its mode was narrowed, so no other user ever reads what is recorded.
fn open(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(MODE).open(path)?;
    let kind = file.metadata()?.file_type();
    if kind.is_block_device() {
        return Err(io::Error::other("it is a disk"));
    }
    if kind.is_file() {
        file.set_permissions(Permissions::from_mode(MODE))?;
        file.set_len(0)?;
    }
    Ok(file)
}
