//! Opens one trace and reads its beginning.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use tracer_common::Event;
use zstd::bulk::Decompressor;

use super::block::BlockReader;
use super::blocks::Blocks;
use super::input::Input;
use super::{Error, ReadReport, STDIO, beginning};
use crate::model::Capture;

/// One trace.
#[derive(Debug)]
pub struct Reader {
    capture: Capture,
    blocks: Blocks,
}

/// The bytes of a file, or of standard input for `-`, and its name in messages.
///
/// # Errors
/// When it cannot be opened, or is not what a recording could be in.
pub fn open(path: &Path) -> Result<(PathBuf, Box<dyn Read + Send>), Error> {
    if path.as_os_str() == STDIO {
        return Ok((PathBuf::from("standard input"), Box::new(io::stdin())));
    }
    let failed = |reason| Error::Read { path: path.to_owned(), reason };
    let file = File::open(path).map_err(failed)?;
    let kind = file.metadata().map_err(failed)?.file_type();
    if kind.is_dir() {
        return Err(Error::NotATrace { path: path.to_owned(), what: "a directory" });
    }
    if kind.is_block_device() {
        return Err(Error::NotATrace { path: path.to_owned(), what: "a disk" });
    }
    Ok((path.to_owned(), Box::new(file)))
}

impl Reader {
    /// Opens a file, or standard input for `-`, and reads its beginning.
    ///
    /// # Errors
    /// When it cannot be opened, or is no trace that can be read.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let (name, source) = open(path)?;
        Self::new(&name, source)
    }

    /// Reads from anything; `path` is its name in messages.
    ///
    /// # Errors
    /// When it cannot be read, or is no trace that can be read.
    pub fn new(path: &Path, source: Box<dyn Read + Send>) -> Result<Self, Error> {
        let failed = |reason| Error::Read { path: path.to_owned(), reason };
        let mut input = Input::new(source);
        let mut unpack = Decompressor::new().map_err(failed)?;
        let mut block = BlockReader::default();
        let (capture, is_intact) = beginning::read(path, &mut input, &mut unpack, &mut block.raw)?;
        block.raw.clear();
        Ok(Self { capture, blocks: Blocks::new(path, input, unpack, block, u32::from(is_intact)) })
    }

    /// Where and how the trace was captured.
    #[must_use]
    pub const fn capture(&self) -> &Capture {
        &self.capture
    }

    /// What follows the beginning.
    pub(super) fn into_blocks(self) -> Blocks {
        self.blocks
    }

    /// What was read so far; complete once [`Reader::read`] has said that there is no more.
    #[must_use]
    pub const fn report(&self) -> &ReadReport {
        self.blocks.report()
    }

    /// Appends at most `max` events to `batch`, at least one, each with `label`; `false` at the end.
    ///
    /// # Errors
    /// When the file cannot be read on. Damage is no error, it is in the report.
    pub fn read(&mut self, max: usize, label: u32, batch: &mut Vec<(u32, Event)>) -> Result<bool, Error> {
        self.blocks.read(max, label, batch)
    }
}
