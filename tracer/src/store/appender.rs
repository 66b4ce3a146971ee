//! Appends frames to the files of a recording: packs payloads, numbers frames, writes each with one write(2), counts what has reached
//! the disk.

use std::io;

use zstd::bulk::Compressor;

use super::files::Files;
use super::frame::{self, FRAME_LEN, FrameHeader};
use super::{Error, MAJOR, MINOR};
use crate::model::Capture;

/// Higher levels save little: what is left is mostly random (ports, ISNs, times).
const LEVEL: i32 = 1;

/// What has reached the disk, over all files of the recording.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    pub events: u64,
    pub bytes: u64,
    /// Files begun.
    pub files: u64,
}

#[derive(Default)]
pub struct Payload {
    pub bytes: Vec<u8>,
    codec: u8,
    raw_len: u32,
}

impl Payload {
    pub const fn frame_len(&self) -> usize {
        FRAME_LEN + self.bytes.len()
    }
}

pub struct Appender {
    pub files: Files,
    compressor: Compressor<'static>,
    frame: Vec<u8>,
    next_number: u32,
    written: Written,
    has_failed: bool,
}

impl Appender {
    pub fn new(files: Files) -> Result<Self, Error> {
        let failed = |reason| Error::Write { path: files.path().to_owned(), written: Written::default(), reason };
        let compressor = Compressor::new(LEVEL).map_err(failed)?;
        let (frame, written) = (Vec::new(), Written::default());
        Ok(Self { files, compressor, frame, next_number: 0, written, has_failed: false })
    }

    pub const fn written(&self) -> Written {
        self.written
    }

    pub const fn has_failed(&self) -> bool {
        self.has_failed
    }

    /// The capture as the head of a file has it.
    pub fn capture(&mut self, capture: &Capture) -> Result<Payload, Error> {
        let bytes = serde_json::to_vec(capture).map_err(|error| self.failure(error.into()))?;
        Ok(Payload { codec: frame::CODEC_STORED, raw_len: bytes.len() as u32, bytes })
    }

    pub fn pack(&mut self, raw: &[u8], into: &mut Payload) -> Result<(), Error> {
        into.raw_len = raw.len() as u32;
        into.bytes.clear();
        into.bytes.reserve(zstd::zstd_safe::compress_bound(raw.len()));
        self.compressor.compress_to_buffer(raw, &mut into.bytes).map_err(|reason| self.failure(reason))?;
        into.codec = frame::CODEC_ZSTD;
        // No reader takes more from so few bytes.
        if raw.len() > frame::max_raw_len(into.bytes.len()) {
            into.codec = frame::CODEC_STORED;
            into.bytes.clear();
            into.bytes.extend_from_slice(raw);
        }
        Ok(())
    }

    /// Magic, version and capture: one write, so there is no trace without them.
    pub fn append_head(&mut self, capture: &Payload) -> Result<(), Error> {
        self.next_number = 0;
        self.written.files += 1;
        frame::put_head(&mut self.frame, MAJOR, MINOR);
        self.append(FrameHeader { kind: frame::KIND_CAPTURE, ..FrameHeader::default() }, capture)
    }

    /// Completes the header by the payload.
    pub fn append(&mut self, header: FrameHeader, payload: &Payload) -> Result<(), Error> {
        let Payload { bytes, codec, raw_len } = payload;
        let (codec, raw_len, stored_len, payload_crc) = (*codec, *raw_len, bytes.len() as u32, crc32c::crc32c(bytes));
        let header = FrameHeader { codec, raw_len, stored_len, payload_crc, number: self.next_number, ..header };
        header.put(&mut self.frame);
        self.frame.extend_from_slice(bytes);
        let (appended, len) = (self.files.append(&self.frame), self.frame.len() as u64);
        self.frame.clear();
        appended.map_err(|reason| self.failure(reason))?;
        self.written.bytes += len;
        self.written.events += u64::from(header.events);
        self.next_number += 1;
        Ok(())
    }

    pub fn append_end(&mut self) -> Result<(), Error> {
        self.append(FrameHeader { kind: frame::KIND_END, ..FrameHeader::default() }, &Payload::default())
    }

    /// Says that the file is finished, and completes it.
    pub fn end(&mut self) -> Result<(), Error> {
        self.append_end()?;
        self.files.complete().map_err(|reason| self.failure(reason))
    }

    pub fn next_file(&mut self, part: u32, unix_ns: i128) -> Result<(), Error> {
        self.files.next(part, unix_ns).inspect_err(|_| self.has_failed = true)
    }

    fn failure(&mut self, reason: io::Error) -> Error {
        self.has_failed = true;
        Error::Write { path: self.files.path().to_owned(), written: self.written, reason }
    }
}
