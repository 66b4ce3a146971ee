//! Writes a trace: collects events into blocks, decides when one is written and when a new file begins.

use std::io;
use std::path::Path;

use tracer_common::Event;

use super::appender::{Appender, Payload, Written};
use super::block::ItemWriter;
use super::files::{Files, TRUNCATED};
use super::frame::{self, FRAME_LEN, FrameHeader};
use super::rotation::Rotation;
use super::watched::WatchedState;
use super::{Error, STDIO};
use crate::model::{Capture, Clock, Owners};
use crate::notice::notice;

/// A block is written when it holds events of this long. Half of the second that may be lost at most.
const FLUSH_AFTER_NS: u64 = 500_000_000;
/// A block is written when it has this many bytes before compression. In larger ones zstd finds no more, and the tables
/// leave the CPU's cache.
const FLUSH_AT_BYTES: usize = 128 << 10;

/// After so many blocks the capture is repeated, for a reader that finds the beginning of the file damaged.
pub(super) const REPEAT_AFTER_BLOCKS: u32 = 64;

/// Bytes of the owners in the header of a part: with all else it has to be small enough to be read.
const MAX_OWNERS: usize = frame::MAX_PAYLOAD / 2;

/// Even a block that no compression helps fits into a file beside the header.
fn flush_at_bytes(rotation: Rotation) -> usize {
    let half = rotation.max_bytes.and_then(|max_bytes| usize::try_from(max_bytes / 2).ok());
    half.map_or(FLUSH_AT_BYTES, |half| half.min(FLUSH_AT_BYTES))
}

/// A trace while it is written. Dropped without [`Writer::finish`], it writes what it has, but does not mark the trace as finished.
pub struct Writer {
    out: Appender,
    capture: Capture,
    /// The capture as it is repeated, and the blocks since it was written
    repeat: Payload,
    blocks: u32,
    /// Written so far: a file may be read without those before it.
    owners: Owners,
    /// As of the beginning of the block, and the changes in it.
    watched: WatchedState,
    changes: Vec<Event>,
    rotation: Rotation,
    flush_at_bytes: usize,
    items: ItemWriter,
    payload: Payload,
    /// Time of the first event of the file.
    file_first_ns: Option<u64>,
}

impl Writer {
    /// Begins a trace in one file, or on standard output for `-`.
    pub fn create(path: &Path, capture: &Capture) -> Result<Self, Error> {
        Self::begin(path, capture, Rotation::default())
    }

    /// Begins a trace in several files; their names are [`Rotation::path`].
    pub fn rotating(path: &Path, capture: &Capture, rotation: Rotation) -> Result<Self, Error> {
        if path.as_os_str() == STDIO {
            let reason = io::Error::other("standard output cannot be split into several files");
            return Err(Error::Create { path: path.to_owned(), reason });
        }
        Self::begin(path, capture, rotation)
    }

    fn begin(given: &Path, capture: &Capture, rotation: Rotation) -> Result<Self, Error> {
        let began = capture.began_unix_ns().unwrap_or_default();
        let files = Files::begin(given, rotation, capture.part, began)?;
        let mut writer = Self {
            out: Appender::new(files)?,
            capture: capture.clone(),
            repeat: Payload::default(),
            blocks: 0,
            owners: Owners::of(&capture.owners),
            watched: WatchedState::default(),
            changes: Vec::new(),
            rotation,
            flush_at_bytes: flush_at_bytes(rotation),
            items: ItemWriter::default(),
            payload: Payload::default(),
            file_first_ns: None,
        };
        writer.head()?;
        Ok(writer)
    }

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
    pub fn flush_if_due(&mut self, now_ns: u64) -> Result<(), Error> {
        let (first_ns, _) = self.items.span();
        let is_due = now_ns.saturating_sub(first_ns) >= FLUSH_AFTER_NS;
        if is_due { self.flush() } else { Ok(()) }
    }

    /// Writes everything, and that the recording is finished.
    pub fn finish(mut self) -> Result<Written, Error> {
        self.flush()?;
        self.end()?;
        Ok(self.written())
    }

    pub const fn written(&self) -> Written {
        self.out.written()
    }

    pub fn path(&self) -> &Path {
        self.out.files.path()
    }

    fn flush(&mut self) -> Result<(), Error> {
        if self.items.events() == 0 || self.out.has_failed() {
            return Ok(());
        }
        self.out.pack(self.items.bytes(), &mut self.payload)?;
        if let Some(loss) = self.out.files.loss() {
            notice(format_args!("{} was {loss}: the recording goes on in a new file", self.path().display()));
            if loss != TRUNCATED {
                self.out.append_end()?;
            }
            self.next_file()?;
        } else if self.is_full() {
            self.end()?;
            self.next_file()?;
        } else if self.blocks >= REPEAT_AFTER_BLOCKS {
            let header = FrameHeader { kind: frame::KIND_CAPTURE_AGAIN, ..FrameHeader::default() };
            self.out.append(header, &self.repeat)?;
            self.blocks = 0;
        }
        self.append_block()?;
        self.items.clear();
        for event in self.changes.drain(..) {
            if let Event::Uplink(uplink) = &event {
                self.watched.uplink(uplink);
            } else if let Event::Address(address) = &event {
                self.watched.address(address);
            }
        }
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
        let payload = std::mem::take(&mut self.payload);
        let appended = self.out.pack(self.items.bytes(), &mut self.payload).and_then(|()| self.append_block());
        (self.items, self.payload) = (items, payload);
        appended
    }

    fn append_block(&mut self) -> Result<(), Error> {
        let ((first_ns, last_ns), events) = (self.items.span(), self.items.events());
        self.file_first_ns.get_or_insert(first_ns);
        let header = FrameHeader { kind: frame::KIND_EVENTS, events, first_ns, last_ns, ..FrameHeader::default() };
        self.out.append(header, &self.payload)?;
        self.blocks += 1;
        Ok(())
    }

    /// Whether what was packed belongs into another file.
    fn is_full(&self) -> bool {
        let Some(first_ns) = self.file_first_ns else { return false };
        let repeat = if self.blocks >= REPEAT_AFTER_BLOCKS { self.repeat.frame_len() } else { 0 };
        let after = self.out.files.bytes() + (FRAME_LEN + self.payload.frame_len() + repeat) as u64;
        let time_ns = self.items.span().1.saturating_sub(first_ns);
        self.rotation.max_bytes.is_some_and(|max_bytes| after > max_bytes)
            || self.rotation.segment_ns.is_some_and(|segment_ns| time_ns > segment_ns)
    }

    fn next_file(&mut self) -> Result<(), Error> {
        let part = self.capture.part + 1;
        let began = Clock::unix_ns(&self.capture, self.items.span().0);
        self.out.next_file(part, began)?;
        self.capture.part = part;
        self.capture.owners = self.owners.known(MAX_OWNERS);
        self.head()?;
        self.restate()
    }

    fn head(&mut self) -> Result<(), Error> {
        let capture = self.out.capture(&self.capture)?;
        (self.file_first_ns, self.blocks) = (None, 0);
        self.out.pack(&capture.bytes, &mut self.repeat)?;
        self.out.append_head(&capture)
    }

    fn end(&mut self) -> Result<(), Error> {
        if self.out.has_failed() { Ok(()) } else { self.out.end() }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // There is no other place to report to; the reader says that the recording was not finished.
        let _ = self.flush();
    }
}
