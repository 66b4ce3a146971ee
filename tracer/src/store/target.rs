//! The file that a trace is written to: created for its owner only, never a directory or a disk.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::libc;
use nix::unistd::geteuid;

use super::{Error, STDIO};

/// Read and write for the owner: a trace names everyone's peers.
const MODE: u32 = 0o600;

/// Opens the file for writing from its beginning; what was in it is gone. `-` is standard output.
pub fn create(path: &Path) -> Result<File, Error> {
    if path.as_os_str() == STDIO && io::stdout().is_terminal() {
        let reason = io::Error::other("standard output is a terminal, and this is not text");
        return Err(Error::Create { path: path.to_owned(), reason });
    }
    create_text(path)
}

/// The same for what a terminal can show.
pub fn create_text(path: &Path) -> Result<File, Error> {
    let result = if path.as_os_str() == STDIO { stdout() } else { open_output(path) };
    result.map_err(|reason| Error::Create { path: path.to_owned(), reason })
}

/// The same, but what was in it stays until the caller cuts it: writing comes after what may fail.
pub(crate) fn create_later(path: &Path) -> Result<File, Error> {
    open_uncut(path).map_err(|reason| Error::Create { path: path.to_owned(), reason })
}

/// What a file is called until it is complete: hidden, and without the ending that collectors look for.
pub fn partial(path: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".partial");
    path.with_file_name(name)
}

/// The name of a file that was not completed; `None` where this is none.
pub fn complete(partial: &Path) -> Option<PathBuf> {
    let name = partial.file_name()?.to_str()?.strip_prefix('.')?.strip_suffix(".partial")?;
    Some(partial.with_file_name(name))
}

fn stdout() -> io::Result<File> {
    Ok(File::from(io::stdout().as_fd().try_clone_to_owned()?))
}

/// An existing file is emptied only after its mode was narrowed, so no other user ever reads what is recorded. In a directory
/// where others may write, such as /tmp, the name may be a trap: a link to a file of the system, or a file whose owner reads along.
pub(crate) fn open_output(path: &Path) -> io::Result<File> {
    let file = open_uncut(path)?;
    if file.metadata()?.is_file() {
        file.set_len(0)?;
    }
    Ok(file)
}

fn open_uncut(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(MODE).custom_flags(libc::O_NOFOLLOW);
    let file = options.open(path).map_err(|error| match error.raw_os_error() {
        Some(libc::ELOOP) => io::Error::other("it is a symbolic link"),
        _ => error,
    })?;
    let metadata = file.metadata()?;
    let kind = metadata.file_type();
    if kind.is_block_device() {
        return Err(io::Error::other("it is a disk"));
    }
    if kind.is_file() {
        if metadata.uid() != geteuid().as_raw() {
            return Err(io::Error::other(format!("it belongs to user {}", metadata.uid())));
        }
        if metadata.nlink() > 1 {
            return Err(io::Error::other("it has hard links"));
        }
        file.set_permissions(Permissions::from_mode(MODE))?;
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn refusal(path: &Path) -> String {
        open_output(path).unwrap_err().to_string()
    }

    #[test]
    fn neither_a_link_nor_the_file_behind_it_is_touched() {
        let directory = tempfile::tempdir().unwrap();
        let (victim, soft, hard) = ["victim", "soft", "hard"].map(|name| directory.path().join(name)).into();
        fs::write(&victim, "precious").unwrap();
        symlink(&victim, &soft).unwrap();
        assert!(refusal(&soft).contains("symbolic link"));
        fs::hard_link(&victim, &hard).unwrap();
        assert!(refusal(&hard).contains("hard links"));
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
    }

    #[test]
    fn what_is_recorded_can_be_read_by_its_owner_only() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("trace");
        fs::write(&path, "before").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o666)).unwrap();
        let metadata = open_output(&path).unwrap().metadata().unwrap();
        assert_eq!((metadata.len(), metadata.permissions().mode() & 0o777), (0, MODE));
    }

    #[test]
    fn a_file_of_somebody_else_is_not_written_to() {
        if !geteuid().is_root() {
            return;
        }
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("trace");
        fs::write(&path, "theirs").unwrap();
        std::os::unix::fs::chown(&path, Some(65534), None).unwrap();
        assert!(refusal(&path).contains("belongs to user 65534"));
        assert_eq!(fs::read_to_string(&path).unwrap(), "theirs");
    }
}
