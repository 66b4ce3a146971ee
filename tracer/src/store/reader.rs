//! Opens one trace and reads its beginning.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use super::block::BlockReader;
use super::blocks::Blocks;
use super::input::Input;
use super::{Error, STDIO, beginning};
use crate::model::Capture;

pub struct Reader {
    pub capture: Capture,
    /// What follows the beginning.
    pub blocks: Blocks,
}

/// The bytes of a file, or of standard input for `-`, and its name in messages.
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
    pub fn open(path: &Path) -> Result<Self, Error> {
        let (name, source) = open(path)?;
        Self::new(&name, source)
    }

    /// Reads from anything; `path` is its name in messages.
    pub fn new(path: &Path, source: Box<dyn Read + Send>) -> Result<Self, Error> {
        let (mut input, mut block) = (Input::new(source), BlockReader::default());
        let (capture, is_intact) = beginning::read(path, &mut input, &mut block.unpacked)?;
        block.unpacked.raw.clear();
        Ok(Self { capture, blocks: Blocks::new(path, input, block, u32::from(is_intact)) })
    }
}
