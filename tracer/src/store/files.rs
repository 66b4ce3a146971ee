//! The files of a recording: one is written to, complete ones make room. A file that somebody removed, renamed or cut is noticed.

use std::collections::VecDeque;
use std::fs::{self, File, Metadata};
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::rotation::Rotation;
use super::{Error, STDIO, abandoned, target};

/// What became of a file of which not even its beginning is left.
pub const TRUNCATED: &str = "truncated";

pub struct Files {
    given: PathBuf,
    rotation: Rotation,
    /// Name of the file once it is complete
    path: PathBuf,
    file: File,
    /// Bytes written to it
    bytes: u64,
    /// Which file it is, where it is one on a disk
    identity: Option<Identity>,
    complete: VecDeque<Complete>,
}

type Identity = (u64, u64);

struct Complete {
    path: PathBuf,
    identity: Option<Identity>,
    bytes: u64,
}

impl Files {
    /// Creates the first file, or takes standard output for `-`.
    pub fn begin(given: &Path, rotation: Rotation, part: u32, unix_ns: i128) -> Result<Self, Error> {
        let path = rotation.path(given, part, unix_ns);
        let (file, identity) = create(&path, rotation)?;
        let (given, complete) = (given.to_owned(), VecDeque::new());
        Ok(Self { given, rotation, path, file, bytes: 0, identity, complete })
    }

    /// The file written to now, by the name that it has once it is complete.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    pub fn next(&mut self, part: u32, unix_ns: i128) -> Result<(), Error> {
        let path = self.rotation.path(&self.given, part, unix_ns);
        if let Rotation { segment_ns: None, keep: Some(keep), .. } = self.rotation {
            let failed = |reason| Error::Create { path: path.clone(), reason };
            self.keep(keep.get() as usize - 1, u64::MAX).map_err(failed)?;
        }
        (self.file, self.identity) = create(&path, self.rotation)?;
        (self.path, self.bytes) = (path, 0);
        Ok(())
    }

    /// Appends. Where possible, the rest of a failed write is cut off again.
    pub fn append(&mut self, frame: &[u8]) -> io::Result<()> {
        if let Some(max_total) = self.rotation.max_total {
            self.keep(usize::MAX, max_total.saturating_sub(self.bytes + frame.len() as u64))?;
        }
        if let Err(reason) = self.file.write_all(frame) {
            // What standard output is appended to began before this trace.
            if self.given.as_os_str() != STDIO {
                let _ = self.file.set_len(self.bytes);
            }
            return Err(reason);
        }
        self.bytes += frame.len() as u64;
        Ok(())
    }

    /// The file is complete. A segment is given its name once it is on the disk.
    pub fn complete(&mut self) -> io::Result<()> {
        let Rotation { segment_ns, keep, .. } = self.rotation;
        if segment_ns.is_some() {
            self.file.sync_all()?;
            fs::rename(target::partial(&self.path), &self.path)?;
        }
        self.complete.push_back(Complete { path: self.path.clone(), identity: self.identity, bytes: self.bytes });
        keep.filter(|_| segment_ns.is_some()).map_or(Ok(()), |keep| self.keep(keep.get() as usize, u64::MAX))
    }

    /// Removes the oldest files until so many with so many bytes are left. One that is not there, or that is another file by now, is
    /// somebody else's business. A reader that has an old file open keeps it whole.
    fn keep(&mut self, most: usize, most_bytes: u64) -> io::Result<()> {
        let bytes = |files: &VecDeque<Complete>| files.iter().map(|file| file.bytes).sum::<u64>();
        while self.complete.len() > most || bytes(&self.complete) > most_bytes {
            let Some(oldest) = self.complete.pop_front() else { break };
            let is_ours = fs::symlink_metadata(&oldest.path)
                .is_ok_and(|now| identity(&now) == oldest.identity && now.len() == oldest.bytes);
            if is_ours {
                fs::remove_file(&oldest.path)?;
            }
        }
        Ok(())
    }

    /// What became of the file, if it is not where it was or not as long as it was.
    pub fn loss(&self) -> Option<&'static str> {
        self.identity?;
        let (path, now) = (name(&self.path, self.rotation), self.file.metadata().ok()?);
        if now.nlink() == 0 {
            return Some("removed");
        }
        if fs::symlink_metadata(path).ok().and_then(|there| identity(&there)) != self.identity {
            return Some("renamed or replaced");
        }
        (now.len() < self.bytes).then_some(TRUNCATED)
    }
}

/// Creates a file; which one it is, if it is on a disk.
fn create(path: &Path, rotation: Rotation) -> Result<(File, Option<Identity>), Error> {
    let file = target::create(&name(path, rotation))?;
    abandoned::claim(&file);
    let is_named = path.as_os_str() != STDIO;
    let identity = file.metadata().ok().filter(|_| is_named).as_ref().and_then(identity);
    Ok((file, identity))
}

/// What a file is called now: a segment has another name until it is complete.
fn name(path: &Path, rotation: Rotation) -> PathBuf {
    if rotation.segment_ns.is_some() { target::partial(path) } else { path.to_owned() }
}

fn identity(of: &Metadata) -> Option<Identity> {
    of.is_file().then(|| (of.dev(), of.ino()))
}
