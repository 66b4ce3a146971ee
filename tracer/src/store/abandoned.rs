//! Segments that a killed recorder left unfinished: the next recorder of the same name gives them theirs.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use nix::libc;
use nix::unistd::geteuid;

use super::rotation::is_segment;
use super::target::complete;

/// Gives their names to the unfinished segments of a recording by this name; which ones. One that a recorder still writes to is
/// locked, and one without any event is removed.
#[must_use]
pub fn recover(given: &Path) -> Vec<PathBuf> {
    let directory = given.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut names: Vec<PathBuf> = entries.map(|entry| directory.join(entry.file_name())).collect();
    names.sort();
    names.into_iter().filter_map(|partial| recover_one(given, &partial).ok().flatten()).collect()
}

fn recover_one(given: &Path, partial: &Path) -> io::Result<Option<PathBuf>> {
    let Some(path) = complete(partial).filter(|path| is_segment(given, path)) else { return Ok(None) };
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(partial)?;
    let metadata = file.metadata()?;
    let is_ours = metadata.is_file() && metadata.uid() == geteuid().as_raw() && metadata.nlink() == 1;
    if !is_ours || file.try_lock().is_err() || fs::symlink_metadata(&path).is_ok() {
        return Ok(None);
    }
    if metadata.len() == 0 {
        fs::remove_file(partial)?;
        return Ok(None);
    }
    fs::rename(partial, &path)?;
    Ok(Some(path))
}

/// Marks a file as one that is written to; a file system without locks marks none.
pub fn claim(file: &File) {
    let _ = file.try_lock();
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn only_own_files_that_nobody_writes_to_get_their_names() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let [left, held, taken, empty, foreign] = [
            "t-20260301T000000.000Z",
            "t-20260301T000001.000Z",
            "t-20260301T000002.000Z",
            "t-20260301T000003.000Z",
            "u-20260301T000000.000Z",
        ]
        .map(|stem| (at(&format!(".{stem}.trace.partial")), at(&format!("{stem}.trace"))));
        for (partial, _) in [&left, &held, &taken, &foreign] {
            fs::write(partial, "events").unwrap();
        }
        fs::write(&taken.1, "another").unwrap();
        fs::write(&empty.0, "").unwrap();
        fs::write(at(".t-notes.trace.partial"), "mine").unwrap();
        fs::write(at("victim"), "precious").unwrap();
        symlink(at("victim"), at(".t-20260301T000004.000Z.trace.partial")).unwrap();
        fs::hard_link(at("victim"), at(".t-20260301T000005.000Z.trace.partial")).unwrap();
        let writer = File::open(&held.0).unwrap();
        claim(&writer);

        assert_eq!(recover(&at("t.trace")), std::slice::from_ref(&left.1));
        assert!(!left.0.exists() && !empty.0.exists() && held.0.exists() && taken.0.exists() && foreign.0.exists());
        assert_eq!(fs::read_to_string(&taken.1).unwrap(), "another");
        assert!(at(".t-notes.trace.partial").exists() && !at("t-20260301T000004.000Z.trace").exists());
        drop(writer);
        assert_eq!(recover(&at("t.trace")), [held.1]);
        assert_eq!(recover(&at("nowhere/t.trace")), [] as [PathBuf; 0]);
    }
}
