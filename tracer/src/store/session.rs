//! One recording: its parts, in order, as one stream of events.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use tracer_common::Event;

use super::blocks::{Blocks, Parked};
use super::recording::Recording;
use super::{Error, ReadReport, Reader, STDIO};
use crate::model::Capture;

/// A file of the recording, not read yet.
struct TracePart {
    path: PathBuf,
    number: u32,
    /// Kept open only where it cannot be opened again: hundreds of parts would use up the files a process may open.
    reader: Option<Reader>,
}

enum Current {
    Open { path: PathBuf, blocks: Box<Blocks>, can_reopen: bool },
    Parked { path: PathBuf, at: Parked },
}

pub struct Session {
    capture: Capture,
    parts: VecDeque<TracePart>,
    current: Option<Current>,
    missing_parts: u64,
    /// Bytes of the parts read to their end.
    done_bytes: u64,
}

impl Session {
    /// A recording that begins with the part in `reader`.
    pub fn new(path: &Path, reader: Reader) -> Self {
        let capture = reader.capture.clone();
        let mut session = Self { capture, parts: VecDeque::new(), current: None, missing_parts: 0, done_bytes: 0 };
        session.parts.push_back(part(path, reader));
        session
    }

    /// Whether a file belongs to this recording.
    pub fn has(&self, capture: &Capture) -> bool {
        let this = &self.capture;
        (this.session, &this.node, this.boot_unix_ns) == (capture.session, &capture.node, capture.boot_unix_ns)
    }

    /// Adds a part where it belongs.
    pub fn add(&mut self, path: &Path, reader: Reader) -> Result<(), Error> {
        let number = reader.capture.part;
        let at = self.parts.partition_point(|part| part.number < number);
        if let Some(same) = self.parts.get(at).filter(|part| part.number == number) {
            return Err(Error::SamePart { first: same.path.clone(), second: path.to_owned(), part: number });
        }
        if at == 0 {
            self.capture = reader.capture.clone();
        }
        self.parts.insert(at, part(path, reader));
        let gap = |(before, after): (&TracePart, &TracePart)| u64::from(after.number - before.number - 1);
        self.missing_parts = self.parts.iter().zip(self.parts.iter().skip(1)).map(gap).sum();
        Ok(())
    }
}

impl Recording for Session {
    /// The capture of the first part that is there.
    fn capture(&self) -> &Capture {
        &self.capture
    }

    fn missing_parts(&self) -> u64 {
        self.missing_parts
    }

    fn position(&self) -> u64 {
        let current = match &self.current {
            Some(Current::Open { blocks, .. }) => blocks.position(),
            Some(Current::Parked { at, .. }) => at.position(),
            None => 0,
        };
        self.done_bytes + current
    }

    fn park(&mut self) {
        self.current = match self.current.take() {
            Some(Current::Open { path, blocks, can_reopen: true }) => Some(Current::Parked { path, at: blocks.park() }),
            other => other,
        };
    }

    fn read(
        &mut self,
        max: usize,
        label: u32,
        batch: &mut Vec<(u32, Event)>,
        done: &mut Vec<(PathBuf, ReadReport)>,
    ) -> Result<bool, Error> {
        loop {
            let (path, mut blocks, can_reopen) = match self.current.take() {
                Some(Current::Open { path, blocks, can_reopen }) => (path, blocks, can_reopen),
                Some(Current::Parked { path, at }) => (path, Box::new(at.resume()?), true),
                None => match self.parts.pop_front() {
                    Some(part) => open(part)?,
                    None => return Ok(false),
                },
            };
            if blocks.read(max, label, batch)? {
                self.current = Some(Current::Open { path, blocks, can_reopen });
                return Ok(true);
            }
            self.done_bytes += blocks.position();
            done.push((path, *blocks.report()));
        }
    }
}

fn part(path: &Path, reader: Reader) -> TracePart {
    let number = reader.capture.part;
    let is_regular = path.as_os_str() != STDIO && path.metadata().is_ok_and(|of| of.is_file());
    TracePart { path: path.to_owned(), number, reader: (!is_regular).then_some(reader) }
}

fn open(part: TracePart) -> Result<(PathBuf, Box<Blocks>, bool), Error> {
    let can_reopen = part.reader.is_none();
    let reader = match part.reader {
        Some(reader) => reader,
        None => Reader::open(&part.path)?,
    };
    Ok((part.path, Box::new(reader.blocks), can_reopen))
}
