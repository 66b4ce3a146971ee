//! Reads the blocks of a trace one after the other, past whatever is damaged.

use std::fs::File;
use std::io::{Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use tracer_common::Event;

use super::block::BlockReader;
use super::frame::{self, FRAME_LEN, FrameHeader, MARKER};
use super::input::Input;
use super::{Error, ReadReport};

/// What follows the beginning of a trace.
pub struct Blocks {
    path: PathBuf,
    input: Input,
    block: BlockReader,
    header: Option<FrameHeader>,
    /// Where the block that is read begins.
    block_at: u64,
    state: State,
}

/// What is known but for the block that is read.
#[derive(Clone, Copy, Default)]
struct State {
    next_number: u32,
    /// The payload before this place was damaged, and its length is in doubt.
    length_in_doubt: bool,
    finished: bool,
    ended: bool,
    report: ReadReport,
}

/// A place in a trace that is not open.
pub struct Parked {
    path: PathBuf,
    at: u64,
    /// Events of the block there that were read.
    taken: usize,
    state: State,
}

impl Parked {
    pub const fn position(&self) -> u64 {
        self.at
    }

    /// Opens the file again and reads on from there.
    pub fn resume(self) -> Result<Blocks, Error> {
        let Self { path, at, taken, state } = self;
        let failed = |reason| Error::Read { path: path.clone(), reason };
        let mut file = File::open(&path).map_err(failed)?;
        file.seek(SeekFrom::Start(at)).map_err(failed)?;
        let input = Input::starting_at(Box::new(file), at);
        let mut blocks = Blocks { state, ..Blocks::new(&path, input, BlockReader::default(), 0) };
        if taken > 0 {
            blocks.next_block()?;
            // These were read without a mistake before.
            let _ = blocks.block.read(taken, 0, &mut Vec::with_capacity(taken));
        }
        blocks.state.report = state.report;
        Ok(blocks)
    }
}

impl Blocks {
    /// Reads from there, where the frame with this number should be.
    pub fn new(path: &Path, input: Input, block: BlockReader, next_number: u32) -> Self {
        let state = State { next_number, ..State::default() };
        Self { path: path.to_owned(), input, block, header: None, block_at: 0, state }
    }

    pub fn park(self) -> Parked {
        let Self { path, input, block, header, block_at, mut state, .. } = self;
        let Some(header) = header else { return Parked { path, at: input.at(), taken: 0, state } };
        state.next_number = header.number;
        Parked { path, at: block_at, taken: block.events as usize, state }
    }

    pub const fn position(&self) -> u64 {
        self.input.at()
    }

    /// What was read so far; complete once [`Blocks::read`] has said that there is no more.
    pub const fn report(&self) -> &ReadReport {
        &self.state.report
    }

    /// Appends at most `max` events to `batch`, at least one, each with `label`; `false` at the end. Damage is no error: it is in the report.
    pub fn read(&mut self, max: usize, label: u32, batch: &mut Vec<(u32, Event)>) -> Result<bool, Error> {
        let before = batch.len();
        while batch.len() == before {
            if self.header.is_none() && !self.next_block()? {
                return Ok(false);
            }
            let outcome = self.block.read(max, label, batch);
            self.state.report.events += (batch.len() - before) as u64;
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
        self.state.report.unknown_events += self.block.unknown;
        self.state.report.last_ns = self.state.report.last_ns.max(header.last_ns);
        if is_good {
            self.state.report.blocks += 1;
        } else {
            self.state.report.damaged_blocks += 1;
            self.state.report.damaged_events += u64::from(header.events).saturating_sub(read);
        }
    }

    /// Unpacks the next good block of events; `false` at the end.
    fn next_block(&mut self) -> Result<bool, Error> {
        while let Some(header) = self.next_frame()? {
            if header.number < self.state.next_number && header.kind != frame::KIND_CAPTURE {
                self.state.report.damaged_blocks += 1;
                self.skip_damaged(header.frame_len());
                continue;
            }
            let payload = self.input.ahead().get(FRAME_LEN..header.frame_len()).unwrap_or_default();
            match header.kind {
                frame::KIND_EVENTS => {
                    if self.block.unpacked.fill(&header, payload) {
                        self.block_at = self.input.at();
                        self.accept(&header);
                        self.block.start();
                        self.header = Some(header);
                        return Ok(true);
                    }
                    self.reject(&header);
                }
                frame::KIND_END => {
                    self.state.finished = true;
                    self.accept(&header);
                }
                // The head alone was damaged.
                frame::KIND_CAPTURE if header.number == 0 && self.state.next_number == 0 => self.accept(&header),
                frame::KIND_CAPTURE => {
                    return Err(Error::SecondTrace { path: self.path.clone(), at: self.input.at() });
                }
                frame::KIND_CAPTURE_AGAIN => self.accept(&header),
                _ => {
                    self.state.report.unknown_events += u64::from(header.events);
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
            if !self.state.length_in_doubt {
                self.torn(self.input.at());
                return Ok(None);
            }
            self.reject(&header);
        }
    }

    /// Leaves a good frame behind, and counts those missing before it.
    fn accept(&mut self, header: &FrameHeader) {
        self.count_missing(header);
        self.state.length_in_doubt = false;
        self.input.skip(header.frame_len());
    }

    /// Skips a bad frame. Its length may be wrong for what is there, so the next frame is first looked for inside it;
    /// but not inside a second bad one, or a hostile file could make that take for ever.
    fn reject(&mut self, header: &FrameHeader) {
        self.count_missing(header);
        self.state.report.damaged_blocks += 1;
        self.state.report.damaged_events += u64::from(header.events);
        let skip = if self.state.length_in_doubt { header.frame_len() } else { 1 };
        self.skip_damaged(skip);
        self.state.length_in_doubt = !self.state.length_in_doubt;
    }

    fn count_missing(&mut self, header: &FrameHeader) {
        self.state.report.damaged_blocks += u64::from(header.number.saturating_sub(self.state.next_number));
        self.state.next_number = header.number.saturating_add(1);
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
                self.state.report.skipped_bytes += self.input.at() - from;
                return Ok(true);
            }
        }
    }

    fn skip_damaged(&mut self, n: usize) {
        let from = self.input.at();
        self.input.skip(n);
        self.state.report.skipped_bytes += self.input.at() - from;
    }

    /// Everything from there to the end is no complete frame.
    fn torn(&mut self, from: u64) {
        self.input.skip(self.input.ahead().len());
        let bytes = self.input.at() - from;
        if self.state.length_in_doubt {
            self.state.report.skipped_bytes += bytes;
        } else {
            self.state.report.torn_bytes += bytes;
        }
    }

    fn end(&mut self) {
        if !std::mem::replace(&mut self.state.ended, true) {
            self.state.report.files += 1;
            self.state.report.unfinished += u64::from(!self.state.finished);
        }
    }

    fn fill(&mut self, n: usize) -> Result<&[u8], Error> {
        let path = &self.path;
        self.input.fill(n).map_err(|reason| Error::Read { path: path.clone(), reason })
    }
}
