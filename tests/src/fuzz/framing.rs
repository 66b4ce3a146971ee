//! A trace taken apart into its frames and put together again, so that a mutation reaches what checksums and compression
//! hide. Written from docs/trace.md, without the product's own code.

const HEAD: &[u8] = b"\x89SNTR\r\n\x1a";
const HEAD_LEN: usize = 16;
const MARKER: &[u8] = b"\xf5SNF";
const FRAME_LEN: usize = 48;
const MAX_PAYLOAD: usize = 4 << 20;
pub(super) const KIND_CAPTURE: u8 = 1;
pub(super) const KIND_EVENTS: u8 = 2;
const CODEC_ZSTD: u8 = 1;

#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub kind: u8,
    pub codec: u8,
    pub events: u32,
    pub number: u32,
    pub first_ns: u64,
    pub last_ns: u64,
    /// Unpacked.
    pub payload: Vec<u8>,
    /// Added to the length that the header names.
    pub wrong_len: u32,
}

/// Minor version and frames; `None` where one is damaged.
pub(super) fn parse(bytes: &[u8]) -> Option<(u16, Vec<Frame>)> {
    let head = bytes.get(..HEAD_LEN).filter(|head| head.starts_with(HEAD))?;
    let minor = u16::from_le_bytes([head[10], head[11]]);
    let (mut rest, mut frames) = (&bytes[HEAD_LEN..], Vec::new());
    while let Some((header, after)) = rest.split_at_checked(FRAME_LEN) {
        let word = |at: usize| header.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes);
        let long = |at: usize| header.get(at..at + 8)?.try_into().ok().map(u64::from_le_bytes);
        let (stored, unpacked) = (word(8)? as usize, word(12)? as usize);
        let (payload, after) = after.split_at_checked(stored)?;
        let payload = match header[5] {
            CODEC_ZSTD if unpacked <= MAX_PAYLOAD => zstd::bulk::decompress(payload, unpacked).ok()?,
            CODEC_ZSTD => return None,
            _ => payload.to_vec(),
        };
        frames.push(Frame {
            kind: header[4],
            codec: header[5],
            events: word(16)?,
            number: word(20)?,
            first_ns: long(24)?,
            last_ns: long(32)?,
            payload,
            wrong_len: 0,
        });
        rest = after;
    }
    (!frames.is_empty()).then_some((minor, frames))
}

/// With checksums that are right.
pub(super) fn build(minor: u16, frames: &[Frame]) -> Vec<u8> {
    let mut out = HEAD.to_vec();
    out.extend(1_u16.to_le_bytes());
    out.extend(minor.to_le_bytes());
    out.extend(crc32c::crc32c(&out).to_le_bytes());
    for frame in frames {
        let packed = (frame.codec == CODEC_ZSTD).then(|| zstd::bulk::compress(&frame.payload, 1).ok()).flatten();
        let stored = packed.as_ref().unwrap_or(&frame.payload);
        let at = out.len();
        out.extend(MARKER);
        out.extend([frame.kind, frame.codec, 0, 0]);
        out.extend((stored.len() as u32).to_le_bytes());
        out.extend((frame.payload.len() as u32).wrapping_add(frame.wrong_len).to_le_bytes());
        out.extend(frame.events.to_le_bytes());
        out.extend(frame.number.to_le_bytes());
        out.extend(frame.first_ns.to_le_bytes());
        out.extend(frame.last_ns.to_le_bytes());
        out.extend(crc32c::crc32c(stored).to_le_bytes());
        out.extend(crc32c::crc32c(&out[at..]).to_le_bytes());
        out.extend(stored);
    }
    out
}

/// An item of a block: the number of its table or shape, and its bytes.
pub(super) type Item = (u64, Vec<u8>);

/// The items of a block; `None` where one is torn.
pub(super) fn items(mut payload: &[u8]) -> Option<Vec<Item>> {
    let mut items = Vec::new();
    while !payload.is_empty() {
        let (number, length) = (varint(&mut payload)?, varint(&mut payload)?);
        let (body, rest) = payload.split_at_checked(usize::try_from(length).ok()?)?;
        items.push((number, body.to_vec()));
        payload = rest;
    }
    Some(items)
}

pub(super) fn block(items: &[Item]) -> Vec<u8> {
    let mut out = Vec::new();
    for (number, body) in items {
        put_varint(&mut out, *number);
        put_varint(&mut out, body.len() as u64);
        out.extend(body);
    }
    out
}

/// LEB128.
pub(super) fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let (mut value, mut shift) = (0, 0);
    loop {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte < 0x80 {
            return Some(value);
        }
        shift += 7;
    }
}

pub(super) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
