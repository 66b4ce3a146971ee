//! Reads one trace, block by block, past whatever is damaged.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use tracer_common::Event;
use zstd::bulk::Decompressor;

use super::block::BlockReader;
use super::frame::{self, FRAME_LEN, FrameHeader, MARKER};
use super::input::Input;
use super::{Error, ReadReport, STDIO, beginning};
use crate::model::Capture;

/// One trace.
pub struct Reader {
    path: PathBuf,
    input: Input,
    capture: Capture,
    unpack: Decompressor<'static>,
    block: BlockReader,
    header: Option<FrameHeader>,
    next_number: u32,
    /// The payload before this place was damaged, and its length is in doubt.
    length_in_doubt: bool,
    finished: bool,
    ended: bool,
    report: ReadReport,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("path", &self.path).field("report", &self.report).finish_non_exhaustive()
    }
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
        let path = path.to_owned();
        let failed = |reason| Error::Read { path: path.clone(), reason };
        let mut input = Input::new(source);
        let mut unpack = Decompressor::new().map_err(failed)?;
        let mut block = BlockReader::default();
        let (capture, is_intact) = beginning::read(&path, &mut input, &mut unpack, &mut block.raw)?;
        block.raw.clear();
        Ok(Self {
            path,
            input,
            capture,
            unpack,
            block,
            header: None,
            next_number: u32::from(is_intact),
            length_in_doubt: false,
            finished: false,
            ended: false,
            report: ReadReport::default(),
        })
    }

    /// Where and how the trace was captured.
    #[must_use]
    pub const fn capture(&self) -> &Capture {
        &self.capture
    }

    /// How many bytes of the file were used so far.
    #[must_use]
    pub const fn position(&self) -> u64 {
        self.input.at()
    }

    /// What was read so far; complete once [`Reader::read`] has said that there is no more.
    #[must_use]
    pub const fn report(&self) -> &ReadReport {
        &self.report
    }

    /// Appends at most `max` events to `batch`, at least one, each with `label`; `false` at the end.
    ///
    /// # Errors
    /// When the file cannot be read on. Damage is no error, it is in the report.
    pub fn read(&mut self, max: usize, label: u32, batch: &mut Vec<(u32, Event)>) -> Result<bool, Error> {
        let before = batch.len();
        while batch.len() == before {
            if self.header.is_none() && !self.next_block()? {
                return Ok(false);
            }
            let outcome = self.block.read(max, label, batch);
            self.report.events += (batch.len() - before) as u64;
            if outcome.is_err() || batch.len() == before {
                self.leave_block(outcome.is_ok());
            }
        }
        Ok(true)
    }

    /// A block with a good checksum whose items make no sense is damaged from there on.
    fn leave_block(&mut self, is_good: bool) {
        let Some(header) = self.header.take() else { return };
        let read = self.block.events + self.block.unknown;
        self.report.unknown_events += self.block.unknown;
        self.report.last_ns = self.report.last_ns.max(header.last_ns);
        if is_good {
            self.report.blocks += 1;
        } else {
            self.report.damaged_blocks += 1;
            self.report.damaged_events += u64::from(header.events).saturating_sub(read);
        }
    }

    /// Unpacks the next good block of events; `false` at the end.
    fn next_block(&mut self) -> Result<bool, Error> {
        while let Some(header) = self.next_frame()? {
            if header.number < self.next_number && header.kind != frame::KIND_CAPTURE {
                self.report.damaged_blocks += 1;
                self.skip_damaged(header.frame_len());
                continue;
            }
            let payload = self.input.ahead().get(FRAME_LEN..header.frame_len()).unwrap_or_default();
            match header.kind {
                frame::KIND_EVENTS => {
                    if frame::unpack(&mut self.unpack, &header, payload, &mut self.block.raw) {
                        self.accept(&header);
                        self.block.start();
                        self.header = Some(header);
                        return Ok(true);
                    }
                    self.reject(&header);
                }
                frame::KIND_END => {
                    self.finished = true;
                    self.accept(&header);
                }
                // The head alone was damaged.
                frame::KIND_CAPTURE if header.number == 0 && self.next_number == 0 => self.accept(&header),
                frame::KIND_CAPTURE => {
                    return Err(Error::SecondTrace { path: self.path.clone(), at: self.input.at() });
                }
                frame::KIND_CAPTURE_AGAIN => self.accept(&header),
                _ => {
                    self.report.unknown_events += u64::from(header.events);
                    self.accept(&header);
                }
            }
        }
        self.end();
        Ok(false)
    }

    /// The next frame that is there with all its bytes; the frame is not consumed yet.
    fn next_frame(&mut self) -> Result<Option<FrameHeader>, Error> {
        loop {
            let start = self.fill(FRAME_LEN)?;
            if start.is_empty() {
                return Ok(None);
            }
            let Some(header) = FrameHeader::parse(start) else {
                if self.find_frame()? {
                    continue;
                }
                return Ok(None);
            };
            if self.fill(header.frame_len())?.len() >= header.frame_len() {
                return Ok(Some(header));
            }
            if !self.length_in_doubt {
                self.torn(self.input.at());
                return Ok(None);
            }
            self.reject(&header);
        }
    }

    /// Leaves a good frame behind, and counts those missing before it.
    fn accept(&mut self, header: &FrameHeader) {
        self.count_missing(header);
        self.length_in_doubt = false;
        self.input.skip(header.frame_len());
    }

    /// Skips a bad frame. Its length may be wrong for what is there, so the next frame is first looked for inside it;
    /// but not inside a second bad one, or a hostile file could make that take for ever.
    fn reject(&mut self, header: &FrameHeader) {
        self.count_missing(header);
        self.report.damaged_blocks += 1;
        self.report.damaged_events += u64::from(header.events);
        let skip = if self.length_in_doubt { header.frame_len() } else { 1 };
        self.skip_damaged(skip);
        self.length_in_doubt = !self.length_in_doubt;
    }

    fn count_missing(&mut self, header: &FrameHeader) {
        self.report.damaged_blocks += u64::from(header.number.saturating_sub(self.next_number));
        self.next_number = header.number.saturating_add(1);
    }

    /// Skips to the next valid header; `false`, and all torn, if there is none.
    fn find_frame(&mut self) -> Result<bool, Error> {
        let from = self.input.at();
        loop {
            self.input.skip(1);
            let ahead = self.fill(FRAME_LEN)?;
            if ahead.len() < FRAME_LEN {
                self.torn(from);
                return Ok(false);
            }
            let found = ahead.windows(MARKER.len()).position(|four| four == MARKER);
            let skip = found.unwrap_or(ahead.len() - MARKER.len());
            self.input.skip(skip);
            if FrameHeader::parse(self.fill(FRAME_LEN)?).is_some() {
                self.report.skipped_bytes += self.input.at() - from;
                return Ok(true);
            }
        }
    }

    fn skip_damaged(&mut self, n: usize) {
        let from = self.input.at();
        self.input.skip(n);
        self.report.skipped_bytes += self.input.at() - from;
    }

    /// Everything from there to the end is no complete frame.
    fn torn(&mut self, from: u64) {
        self.input.skip(self.input.ahead().len());
        let bytes = self.input.at() - from;
        if self.length_in_doubt {
            self.report.skipped_bytes += bytes;
        } else {
            self.report.torn_bytes += bytes;
        }
    }

    fn end(&mut self) {
        if !std::mem::replace(&mut self.ended, true) {
            self.report.files += 1;
            self.report.unfinished += u64::from(!self.finished);
        }
    }

    fn fill(&mut self, n: usize) -> Result<&[u8], Error> {
        let path = &self.path;
        self.input.fill(n).map_err(|reason| Error::Read { path: path.clone(), reason })
    }
}
