//! Writes a trace: collects events into blocks, appends each with one write(2), begins new files.

use std::io;
use std::path::Path;

use tracer_common::Event;
use zstd::bulk::Compressor;

use super::block::ItemWriter;
use super::files::{Files, TRUNCATED};
use super::frame::{self, FRAME_LEN, FrameHeader};
use super::rotation::Rotation;
use super::watched::WatchedState;
use super::{Error, MAJOR, MINOR, STDIO};
use crate::model::{Capture, Clock, Owners};
use crate::notice::notice;

/// A block is written when it holds events of this long. Half of the second that may be lost at most.
const FLUSH_AFTER_NS: u64 = 500_000_000;
/// A block is written when it has this many bytes before compression. In larger ones zstd finds no more, and the tables
/// leave the CPU's cache.
const FLUSH_AT_BYTES: usize = 128 << 10;
/// Higher levels save little: what is left is mostly random (ports, ISNs, times).
const LEVEL: i32 = 1;

/// After so many blocks the capture is repeated, for a reader that finds the beginning of the file damaged.
pub(super) const REPEAT_AFTER_BLOCKS: u32 = 64;

/// Bytes of the owners in the header of a part: with all else it has to be small enough to be read.
const MAX_OWNERS: usize = frame::MAX_PAYLOAD / 2;

/// Even a block that no compression helps fits into a file beside the header.
fn flush_at_bytes(rotation: Rotation) -> usize {
    let half = rotation.max_bytes.and_then(|max_bytes| usize::try_from(max_bytes / 2).ok());
    half.map_or(FLUSH_AT_BYTES, |half| half.min(FLUSH_AT_BYTES))
}

/// Packs a payload; how it is stored.
fn pack(pack: &mut Compressor<'static>, raw: &[u8], payload: &mut Vec<u8>) -> io::Result<u8> {
    payload.clear();
    payload.reserve(zstd::zstd_safe::compress_bound(raw.len()));
    pack.compress_to_buffer(raw, payload)?;
    // No reader takes more from so few bytes.
    if raw.len() <= frame::max_raw_len(payload.len()) {
        return Ok(frame::CODEC_ZSTD);
    }
    payload.clear();
    payload.extend_from_slice(raw);
    Ok(frame::CODEC_STORED)
}

/// What has reached the disk, over all files of the recording.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Events.
    pub events: u64,
    /// Bytes.
    pub bytes: u64,
    /// Files begun.
    pub files: u64,
}

/// A trace while it is written. Dropped without [`Writer::finish`], it writes what it has, but does not mark the trace as finished.
pub struct Writer {
    files: Files,
    capture: Capture,
    /// The capture as it is repeated, and the blocks since it was written
    repeat: Repeat,
    blocks: u32,
    /// Written so far: a file may be read without those before it.
    owners: Owners,
    /// As of the beginning of the block, and the changes in it.
    watched: WatchedState,
    changes: Vec<Event>,
    rotation: Option<Rotation>,
    flush_at_bytes: usize,
    items: ItemWriter,
    pack: Compressor<'static>,
    frame: Vec<u8>,
    payload: Vec<u8>,
    /// How the payload is stored.
    codec: u8,
    next_number: u32,
    /// Time of the first event of the file.
    file_first_ns: Option<u64>,
    written: Written,
    failed: bool,
}

/// A payload that is ready to be written.
#[derive(Debug, Default)]
struct Repeat {
    payload: Vec<u8>,
    codec: u8,
    raw_len: u32,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").field("path", &self.path()).field("written", &self.written).finish_non_exhaustive()
    }
}

impl Writer {
    /// Begins a trace in one file, or on standard output for `-`.
    ///
    /// # Errors
    /// When the file cannot be created or written.
    pub fn create(path: &Path, capture: &Capture) -> Result<Self, Error> {
        Self::begin(path, capture, None)
    }

    /// Begins a trace in several files; their names are [`Rotation::path`].
    ///
    /// # Errors
    /// When the first file cannot be created or written.
    pub fn rotating(path: &Path, capture: &Capture, rotation: Rotation) -> Result<Self, Error> {
        if path.as_os_str() == STDIO {
            let reason = io::Error::other("standard output cannot be split into several files");
            return Err(Error::Create { path: path.to_owned(), reason });
        }
        Self::begin(path, capture, Some(rotation))
    }

    fn begin(given: &Path, capture: &Capture, rotation: Option<Rotation>) -> Result<Self, Error> {
        let began = capture.began_unix_ns().unwrap_or_default();
        let files = Files::begin(given, rotation, capture.part, began)?;
        let failed = |reason| Error::Write { path: given.to_owned(), written: Written::default(), reason };
        let pack = Compressor::new(LEVEL).map_err(failed)?;
        let mut writer = Self {
            files,
            capture: capture.clone(),
            repeat: Repeat::default(),
            blocks: 0,
            owners: Owners::of(&capture.owners),
            watched: WatchedState::default(),
            changes: Vec::new(),
            rotation,
            flush_at_bytes: rotation.map_or(FLUSH_AT_BYTES, flush_at_bytes),
            items: ItemWriter::default(),
            pack,
            frame: Vec::new(),
            payload: Vec::new(),
            codec: frame::CODEC_ZSTD,
            next_number: 0,
            file_first_ns: None,
            written: Written::default(),
            failed: false,
        };
        writer.head()?;
        Ok(writer)
    }

    /// Takes an event.
    ///
    /// # Errors
    /// When a block was due and cannot be written.
    pub fn write(&mut self, event: &Event) -> Result<(), Error> {
        self.flush_if_due(event.stamp().time_ns)?;
        self.items.push(event);
        if let Event::Owner(owner) = event {
            self.owners.event(owner);
        }
        if matches!(event, Event::Uplink(_) | Event::Address(_)) {
            self.changes.push(*event);
        }
        if self.items.bytes().len() >= self.flush_at_bytes { self.flush() } else { Ok(()) }
    }

    /// Writes the block if it is old enough at this event time.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn flush_if_due(&mut self, now_ns: u64) -> Result<(), Error> {
        let (first_ns, _) = self.items.span();
        let is_due = self.items.events() > 0 && now_ns.saturating_sub(first_ns) >= FLUSH_AFTER_NS;
        if is_due { self.flush() } else { Ok(()) }
    }

    /// Writes everything, and that the recording is finished.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(mut self) -> Result<Written, Error> {
        self.flush()?;
        self.end()?;
        Ok(self.written)
    }

    /// What has reached the disk.
    #[must_use]
    pub const fn written(&self) -> Written {
        self.written
    }

    /// The file written to now.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.files.path()
    }

    /// Writes the block.
    fn flush(&mut self) -> Result<(), Error> {
        if self.items.events() == 0 || self.failed {
            return Ok(());
        }
        let packed = self.pack();
        packed.map_err(|reason| self.failure(reason))?;
        if let Some(loss) = self.files.loss() {
            notice(format_args!("{} was {loss}: the recording goes on in a new file", self.path().display()));
            if loss != TRUNCATED {
                self.append_end()?;
            }
            self.next_file()?;
        } else if self.is_full() {
            self.end()?;
            self.next_file()?;
        } else if self.blocks >= REPEAT_AFTER_BLOCKS {
            self.repeat_capture()?;
        }
        self.append_block()?;
        self.items.clear();
        self.changes.drain(..).for_each(|event| self.watched.event(&event));
        Ok(())
    }

    /// Begins a later file with what is watched, for it may be read without those before it.
    fn restate(&mut self) -> Result<(), Error> {
        let (first_ns, _) = self.items.span();
        let mut items = ItemWriter::default();
        self.watched.events(first_ns).for_each(|event| items.push(&event));
        if items.events() == 0 {
            return Ok(());
        }
        std::mem::swap(&mut items, &mut self.items);
        let (payload, codec) = (std::mem::take(&mut self.payload), self.codec);
        let packed = self.pack();
        packed.map_err(|reason| self.failure(reason))?;
        let appended = self.append_block();
        (self.items, self.payload, self.codec) = (items, payload, codec);
        appended
    }

    /// Appends what was packed.
    fn append_block(&mut self) -> Result<(), Error> {
        let (first_ns, last_ns) = self.items.span();
        let events = self.items.events();
        self.file_first_ns.get_or_insert(first_ns);
        let header = FrameHeader {
            kind: frame::KIND_EVENTS,
            codec: self.codec,
            stored_len: self.payload.len() as u32,
            raw_len: self.items.bytes().len() as u32,
            events,
            number: self.next_number,
            first_ns,
            last_ns,
            payload_crc: crc32c::crc32c(&self.payload),
        };
        self.frame.clear();
        header.put(&mut self.frame);
        self.frame.extend_from_slice(&self.payload);
        self.append()?;
        self.blocks += 1;
        self.written.events += u64::from(events);
        Ok(())
    }

    fn pack(&mut self) -> io::Result<()> {
        self.codec = pack(&mut self.pack, self.items.bytes(), &mut self.payload)?;
        Ok(())
    }

    /// Whether what was packed belongs into another file.
    fn is_full(&self) -> bool {
        let (Some(rotation), Some(first_ns)) = (self.rotation, self.file_first_ns) else { return false };
        let repeat = if self.blocks >= REPEAT_AFTER_BLOCKS { FRAME_LEN + self.repeat.payload.len() } else { 0 };
        let after = self.files.bytes() + (2 * FRAME_LEN + self.payload.len() + repeat) as u64;
        let time_ns = self.items.span().1.saturating_sub(first_ns);
        rotation.max_bytes.is_some_and(|max_bytes| after > max_bytes)
            || rotation.segment_ns.is_some_and(|segment_ns| time_ns > segment_ns)
    }

    fn next_file(&mut self) -> Result<(), Error> {
        let part = self.capture.part + 1;
        let began = Clock::unix_ns(&self.capture, self.items.span().0);
        self.files.next(part, began).inspect_err(|_| self.failed = true)?;
        self.capture.part = part;
        self.capture.owners = self.owners.known(MAX_OWNERS);
        self.head()?;
        self.restate()
    }

    /// Magic, version and capture: one write, so there is no trace without them.
    fn head(&mut self) -> Result<(), Error> {
        let json = serde_json::to_vec(&self.capture).map_err(|error| self.failure(error.into()))?;
        (self.file_first_ns, self.next_number, self.blocks) = (None, 0, 0);
        self.written.files += 1;
        self.frame.clear();
        frame::put_head(&mut self.frame, MAJOR, MINOR);
        self.bare_header(frame::KIND_CAPTURE, &json).put(&mut self.frame);
        self.frame.extend_from_slice(&json);
        let codec = pack(&mut self.pack, &json, &mut self.repeat.payload);
        (self.repeat.codec, self.repeat.raw_len) = (codec.map_err(|reason| self.failure(reason))?, json.len() as u32);
        self.append()
    }

    fn repeat_capture(&mut self) -> Result<(), Error> {
        let mut header = self.bare_header(frame::KIND_CAPTURE_AGAIN, &self.repeat.payload);
        (header.codec, header.raw_len) = (self.repeat.codec, self.repeat.raw_len);
        self.frame.clear();
        header.put(&mut self.frame);
        self.frame.extend_from_slice(&self.repeat.payload);
        self.blocks = 0;
        self.append()
    }

    fn end(&mut self) -> Result<(), Error> {
        if self.failed {
            return Ok(());
        }
        self.append_end()?;
        self.files.complete().map_err(|reason| self.failure(reason))
    }

    fn append_end(&mut self) -> Result<(), Error> {
        self.frame.clear();
        self.bare_header(frame::KIND_END, &[]).put(&mut self.frame);
        self.append()
    }

    fn bare_header(&self, kind: u8, payload: &[u8]) -> FrameHeader {
        FrameHeader {
            kind,
            codec: frame::CODEC_STORED,
            stored_len: payload.len() as u32,
            raw_len: payload.len() as u32,
            events: 0,
            number: self.next_number,
            first_ns: 0,
            last_ns: 0,
            payload_crc: crc32c::crc32c(payload),
        }
    }

    /// Appends the frame.
    fn append(&mut self) -> Result<(), Error> {
        self.files.append(&self.frame).map_err(|reason| self.failure(reason))?;
        self.written.bytes += self.frame.len() as u64;
        self.next_number += 1;
        Ok(())
    }

    fn failure(&mut self, reason: io::Error) -> Error {
        self.failed = true;
        Error::Write { path: self.path().to_owned(), written: self.written, reason }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // There is no other place to report to; the reader says that the recording was not finished.
        let _ = self.flush();
    }
}
