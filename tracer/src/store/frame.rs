//! The head of a trace and the header of a frame: everything that is needed to find, check and skip a frame.

use bytes::{Buf, BufMut};
use zstd::bulk::Decompressor;

/// First bytes of a trace. Built like PNG's, so that a transfer as text breaks it visibly.
pub const MAGIC: [u8; 8] = *b"\x89SNTR\r\n\x1a";
/// Magic, major, minor, CRC-32C of those.
pub const HEAD_LEN: usize = 16;
pub const MARKER: [u8; 4] = *b"\xf5SNF";
pub const FRAME_LEN: usize = 48;
/// Most bytes of a payload, stored or unpacked, that a reader accepts.
pub const MAX_PAYLOAD: usize = 4 << 20;
/// No event is smaller: number of its shape, length.
pub const MIN_EVENT_LEN: u32 = 2;

/// Payload: the capture, as JSON.
pub const KIND_CAPTURE: u8 = 1;
/// Payload: a block of events.
pub const KIND_EVENTS: u8 = 2;
/// No payload: the recorder finished this file.
pub const KIND_END: u8 = 3;
/// Payload: the capture again, in case the first one is damaged.
pub const KIND_CAPTURE_AGAIN: u8 = 4;

/// The payload is stored as it is.
pub const CODEC_STORED: u8 = 0;
/// The payload is one zstd frame.
pub const CODEC_ZSTD: u8 = 1;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FrameHeader {
    /// `KIND_*`, or one of a newer minor version.
    pub kind: u8,
    /// `CODEC_*`, or one of a newer minor version.
    pub codec: u8,
    pub stored_len: u32,
    pub raw_len: u32,
    pub events: u32,
    /// Number of the frame in its file, from 0.
    pub number: u32,
    /// Smallest time of an event in the payload; 0 without events.
    pub first_ns: u64,
    /// Largest time of an event in the payload; 0 without events.
    pub last_ns: u64,
    pub payload_crc: u32,
}

impl FrameHeader {
    /// Appends the header with its own checksum.
    pub fn put(&self, to: &mut Vec<u8>) {
        let at = to.len();
        to.put_slice(&MARKER);
        to.put_u8(self.kind);
        to.put_u8(self.codec);
        to.put_u16_le(0);
        to.put_u32_le(self.stored_len);
        to.put_u32_le(self.raw_len);
        to.put_u32_le(self.events);
        to.put_u32_le(self.number);
        to.put_u64_le(self.first_ns);
        to.put_u64_le(self.last_ns);
        to.put_u32_le(self.payload_crc);
        let crc = crc32c::crc32c(&to[at..]);
        to.put_u32_le(crc);
    }

    /// The header in the first [`FRAME_LEN`] bytes; `None` if they are none, or one that breaks the limits.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let (checked, mut crc) = bytes.get(..FRAME_LEN)?.split_at(FRAME_LEN - 4);
        if !checked.starts_with(&MARKER) || crc.get_u32_le() != crc32c::crc32c(checked) {
            return None;
        }
        let mut from = &checked[MARKER.len()..];
        let (kind, codec, _reserved) = (from.get_u8(), from.get_u8(), from.get_u16_le());
        let header = Self {
            kind,
            codec,
            stored_len: from.get_u32_le(),
            raw_len: from.get_u32_le(),
            events: from.get_u32_le(),
            number: from.get_u32_le(),
            first_ns: from.get_u64_le(),
            last_ns: from.get_u64_le(),
            payload_crc: from.get_u32_le(),
        };
        header.is_within_limits().then_some(header)
    }

    pub const fn frame_len(&self) -> usize {
        FRAME_LEN + self.stored_len as usize
    }

    const fn is_within_limits(&self) -> bool {
        self.stored_len as usize <= MAX_PAYLOAD
            && self.raw_len as usize <= MAX_PAYLOAD
            && self.events <= self.raw_len / MIN_EVENT_LEN
    }
}

/// What a compressed payload may become: reading a trace takes memory and time by its size. A writer stores a block that is smaller
/// still as it is.
pub const fn max_raw_len(stored_len: usize) -> usize {
    (8 << 10) + 128 * stored_len
}

/// A payload that was unpacked.
#[derive(Default)]
pub struct Unpacked {
    pub raw: Vec<u8>,
    decompressor: Decompressor<'static>,
}

impl Unpacked {
    /// Checks and unpacks a payload. Never more than `raw_len` bytes, which the header's limits bound.
    pub fn fill(&mut self, header: &FrameHeader, payload: &[u8]) -> bool {
        let Self { raw, decompressor } = self;
        raw.clear();
        let raw_len = header.raw_len as usize;
        if crc32c::crc32c(payload) != header.payload_crc {
            return false;
        }
        match header.codec {
            CODEC_STORED => raw.extend_from_slice(payload),
            CODEC_ZSTD if raw_len <= max_raw_len(payload.len()) => {
                raw.reserve(raw_len);
                if decompressor.decompress_to_buffer(payload, raw).is_err() {
                    raw.clear();
                    return false;
                }
            }
            _ => return false,
        }
        raw.len() == raw_len
    }
}

pub fn put_head(to: &mut Vec<u8>, major: u16, minor: u16) {
    let at = to.len();
    to.put_slice(&MAGIC);
    to.put_u16_le(major);
    to.put_u16_le(minor);
    let crc = crc32c::crc32c(&to[at..]);
    to.put_u32_le(crc);
}

/// Major and minor version from the head; `None` if it is damaged.
pub fn parse_head(bytes: &[u8]) -> Option<(u16, u16)> {
    let (checked, mut crc) = bytes.get(..HEAD_LEN)?.split_at(HEAD_LEN - 4);
    let mut version = &checked[MAGIC.len()..];
    let found = (version.get_u16_le(), version.get_u16_le());
    (checked.starts_with(&MAGIC) && crc.get_u32_le() == crc32c::crc32c(checked)).then_some(found)
}
