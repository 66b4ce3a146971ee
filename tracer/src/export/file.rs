//! The file that is written: under another name until it is complete, so that nobody ever reads half of it.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::outputs::escape::Escaped;
use crate::store;

const BUFFER: usize = 256 << 10;

/// A file under way; removed if it is dropped before [`Target::finish`].
#[derive(Debug)]
pub struct Target {
    out: BufWriter<File>,
    /// Where it goes in the end, and what it is called until then; `None` for what cannot be renamed.
    names: Option<(PathBuf, PathBuf)>,
}

impl Target {
    /// Begins the file; `-` is standard output. What is no plain file (a pipe, a device) is written directly.
    pub fn create(path: &Path, is_text: bool) -> Result<Self> {
        let is_plain = fs::metadata(path).map_or(true, |of| of.is_file());
        let is_direct = path.as_os_str() == store::STDIO || !is_plain;
        let names = (!is_direct).then(|| (store::partial(path), path.to_owned()));
        let name = names.as_ref().map_or(path, |(partial, _)| partial);
        let file = if is_text { store::create_text(name)? } else { store::create(name)? };
        Ok(Self { out: BufWriter::with_capacity(BUFFER, file), names })
    }

    /// Puts the complete file in its place.
    pub fn finish(mut self) -> Result<()> {
        self.out.flush()?;
        if let Some((partial, path)) = self.names.take() {
            let name = path.display().to_string();
            fs::rename(partial, path).with_context(|| format!("cannot rename the finished {}", Escaped(&name)))?;
        }
        Ok(())
    }
}

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if let Some((partial, _)) = self.names.take() {
            // It may be gone already; nobody is left to report to.
            let _ = fs::remove_file(partial);
        }
    }
}
