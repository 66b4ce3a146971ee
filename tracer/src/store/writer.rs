//! Writes a trace: collects events into blocks, appends each with one write(2), begins new files.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tracer_common::Event;
use zstd::bulk::Compressor;

use super::block::ItemWriter;
use super::frame::{self, FRAME_LEN, FrameHeader};
use super::rotation::Rotation;
use super::watched::WatchedState;
use super::{Error, MAJOR, MINOR, STDIO, target};
use crate::model::{Capture, Clock, Owners};

/// A block is written when it holds events of this long. Half of the second that may be lost at most.
const FLUSH_AFTER_NS: u64 = 500_000_000;
/// A block is written when it has this many bytes before compression. In larger ones zstd finds no more, and the tables
/// leave the CPU's cache.
const FLUSH_AT_BYTES: usize = 128 << 10;
/// Higher levels save little: what is left is mostly random (ports, ISNs, times).
const LEVEL: i32 = 1;

/// Bytes of the owners in the header of a part: with all else it has to be small enough to be read.
const MAX_OWNERS: usize = frame::MAX_PAYLOAD / 2;

/// Even a block that no compression helps fits into a file beside the header.
fn flush_at_bytes(rotation: Rotation) -> usize {
    let half = rotation.max_bytes.and_then(|max_bytes| usize::try_from(max_bytes / 2).ok());
    half.map_or(FLUSH_AT_BYTES, |half| half.min(FLUSH_AT_BYTES))
}

/// A segment has another name until it is complete.
fn create(path: &Path, rotation: Option<Rotation>) -> Result<File, Error> {
    match rotation.and_then(|rotation| rotation.segment_ns) {
        Some(_) => target::create(&target::partial(path)),
        None => target::create(path),
    }
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
    given: PathBuf,
    path: PathBuf,
    file: File,
    capture: Capture,
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
    file_bytes: u64,
    /// Time of its first event.
    file_first_ns: Option<u64>,
    /// Complete segments, of which the oldest make room.
    segments: VecDeque<PathBuf>,
    written: Written,
    failed: bool,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").field("path", &self.path).field("written", &self.written).finish_non_exhaustive()
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
        let path = rotation.map_or_else(|| given.to_owned(), |rotation| rotation.path(given, capture.part, began));
        let file = create(&path, rotation)?;
        let failed = |reason| Error::Write { path: path.clone(), written: Written::default(), reason };
        let pack = Compressor::new(LEVEL).map_err(failed)?;
        let mut writer = Self {
            given: given.to_owned(),
            path,
            file,
            capture: capture.clone(),
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
            file_bytes: 0,
            file_first_ns: None,
            segments: VecDeque::new(),
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
        &self.path
    }

    /// Writes the block.
    fn flush(&mut self) -> Result<(), Error> {
        if self.items.events() == 0 || self.failed {
            return Ok(());
        }
        let packed = self.pack();
        packed.map_err(|reason| self.failure(reason))?;
        if self.is_full() {
            self.next_file()?;
            self.restate()?;
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
        self.written.events += u64::from(events);
        Ok(())
    }

    fn pack(&mut self) -> io::Result<()> {
        let items = self.items.bytes();
        self.payload.clear();
        self.payload.reserve(zstd::zstd_safe::compress_bound(items.len()));
        self.pack.compress_to_buffer(items, &mut self.payload)?;
        self.codec = frame::CODEC_ZSTD;
        // No reader takes more from so few bytes.
        if items.len() > frame::max_raw_len(self.payload.len()) {
            self.codec = frame::CODEC_STORED;
            self.payload.clear();
            self.payload.extend_from_slice(items);
        }
        Ok(())
    }

    /// Whether what was packed belongs into another file.
    fn is_full(&self) -> bool {
        let (Some(rotation), Some(first_ns)) = (self.rotation, self.file_first_ns) else { return false };
        let after = self.file_bytes + (2 * FRAME_LEN + self.payload.len()) as u64;
        let time_ns = self.items.span().1.saturating_sub(first_ns);
        rotation.max_bytes.is_some_and(|max_bytes| after > max_bytes)
            || rotation.segment_ns.is_some_and(|segment_ns| time_ns > segment_ns)
    }

    fn next_file(&mut self) -> Result<(), Error> {
        let Some(rotation) = self.rotation else { return Ok(()) };
        self.end()?;
        let part = self.capture.part + 1;
        let path = rotation.path(&self.given, part, Clock::unix_ns(&self.capture, self.items.span().0));
        if rotation.is_reused(part) {
            // A reader that has the old part open keeps it whole.
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(self.failure(error)),
                Ok(()) | Err(_) => {}
            }
        }
        self.file = create(&path, self.rotation).inspect_err(|_| self.failed = true)?;
        self.path = path;
        self.capture.part = part;
        self.capture.owners = self.owners.known(MAX_OWNERS);
        self.head()
    }

    /// Magic, version and capture: one write, so there is no trace without them.
    fn head(&mut self) -> Result<(), Error> {
        let json = serde_json::to_vec(&self.capture).map_err(|error| self.failure(error.into()))?;
        (self.file_bytes, self.file_first_ns, self.next_number) = (0, None, 0);
        self.written.files += 1;
        self.frame.clear();
        frame::put_head(&mut self.frame, MAJOR, MINOR);
        self.bare_header(frame::KIND_CAPTURE, &json).put(&mut self.frame);
        self.frame.extend_from_slice(&json);
        self.append()
    }

    fn end(&mut self) -> Result<(), Error> {
        if self.failed {
            return Ok(());
        }
        self.frame.clear();
        self.bare_header(frame::KIND_END, &[]).put(&mut self.frame);
        self.append()?;
        self.publish()
    }

    /// Gives a complete segment its name.
    fn publish(&mut self) -> Result<(), Error> {
        let Some(rotation) = self.rotation.filter(|rotation| rotation.segment_ns.is_some()) else { return Ok(()) };
        fs::rename(target::partial(&self.path), &self.path).map_err(|reason| self.failure(reason))?;
        self.segments.push_back(self.path.clone());
        while rotation.keep.is_some_and(|keep| self.segments.len() > keep.get() as usize) {
            // Whoever collects segments may have removed it.
            let _ = self.segments.pop_front().map(fs::remove_file);
        }
        Ok(())
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

    /// Appends the frame. Where possible, the rest of a failed write is cut off again.
    fn append(&mut self) -> Result<(), Error> {
        if let Err(reason) = self.file.write_all(&self.frame) {
            // What standard output is appended to began before this trace.
            if self.given.as_os_str() != STDIO {
                let _ = self.file.set_len(self.file_bytes);
            }
            return Err(self.failure(reason));
        }
        self.file_bytes += self.frame.len() as u64;
        self.written.bytes += self.frame.len() as u64;
        self.next_number += 1;
        Ok(())
    }

    fn failure(&mut self, reason: io::Error) -> Error {
        self.failed = true;
        Error::Write { path: self.path.clone(), written: self.written, reason }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // There is no other place to report to; the reader says that the recording was not finished.
        let _ = self.flush();
    }
}
