//! The beginning of a trace: head and capture. Where they are damaged, the capture is repeated later; without it no event can be judged.

use std::io;
use std::path::Path;

use tracer_common::config::FILTER_PREFIXES;

use super::frame::{self, FRAME_LEN, FrameHeader, HEAD_LEN, MAGIC, MARKER, Unpacked};
use super::input::Input;
use super::{Error, MAJOR};
use crate::model::Capture;

/// First bytes of what people hand to a tool like this by mistake.
const KNOWN: &[(&[u8], &str)] = &[
    (&[0xfd, b'7', b'z', b'X', b'Z'], "an xz file, perhaps with a trace in it"),
    (b"PAR1", "a Parquet file"),
    (b"\x7fELF", "a program"),
    (b"{", "a JSON file"),
    (b"\x89SNTR\n", "a trace that a transfer as text has damaged"),
    (b"\x89SNTR\r\r", "a trace that a transfer as text has damaged"),
    (b"\xf5SNF", MIDDLE),
];

const MIDDLE: &str = "the middle of a trace without its beginning";
const UNKNOWN: &str = "not a snatrace trace";

/// Whether what is called so may be a trace whose beginning is damaged.
fn may_be_trace(what: &str) -> bool {
    [MIDDLE, UNKNOWN].contains(&what)
}

/// What a file is that begins with these bytes; `None` if it begins like a trace.
fn foreign_name(start: &[u8]) -> Option<&'static str> {
    if start.starts_with(&MAGIC) {
        return None;
    }
    if start.is_empty() {
        return Some("an empty file");
    }
    if MAGIC.starts_with(start) {
        return Some("a trace cut off in its first bytes");
    }
    let known = KNOWN.iter().find(|(magic, _)| start.starts_with(magic));
    Some(known.map_or(UNKNOWN, |(_, what)| *what))
}

fn check_head(path: &Path, start: &[u8]) -> Result<(), Error> {
    let path = path.to_owned();
    if let Some(what) = foreign_name(start) {
        return Err(Error::NotATrace { path, what });
    }
    match frame::parse_head(start) {
        None => Err(Error::DamagedHead { path, what: "its first bytes are damaged or cut off".to_owned() }),
        Some((MAJOR, _)) => Ok(()),
        Some((0, _)) => Err(Error::DamagedHead { path, what: "invalid format version 0".to_owned() }),
        Some((major, minor)) => Err(Error::NewerMajor { path, major, minor }),
    }
}

/// A capture that is repeated is looked for in so many bytes: this writer needs half of them for the blocks before the first repeat.
const MAX_SEARCH: usize = 16 << 20;

/// Reads and checks head and capture. Where they are damaged, the capture that is repeated later takes their place, and nothing is left
/// behind: `false`.
pub fn read(path: &Path, input: &mut Input, unpacked: &mut Unpacked) -> Result<(Capture, bool), Error> {
    let error = match read_intact(path, input, unpacked) {
        Ok((capture, len)) => {
            input.skip(len);
            return Ok((capture, true));
        }
        Err(error @ Error::DamagedHead { .. }) => error,
        Err(error @ Error::NotATrace { what, .. }) if may_be_trace(what) => error,
        Err(error) => return Err(error),
    };
    let repeated = find_repeat(input, unpacked).map_err(|reason| Error::Read { path: path.to_owned(), reason })?;
    repeated.map(|capture| (capture, false)).ok_or(error)
}

/// The capture where it belongs, and where it ends.
fn read_intact(path: &Path, input: &mut Input, unpacked: &mut Unpacked) -> Result<(Capture, usize), Error> {
    let failed = |reason| Error::Read { path: path.to_owned(), reason };
    let damaged = |what: String| Error::DamagedHead { path: path.to_owned(), what };
    check_head(path, input.fill(HEAD_LEN).map_err(failed)?)?;
    let is_cut = || damaged("the description of the capture is damaged or cut off".to_owned());
    let start = input.fill(HEAD_LEN + FRAME_LEN).map_err(failed)?;
    let header = start.get(HEAD_LEN..).and_then(FrameHeader::parse).filter(|header| header.kind == frame::KIND_CAPTURE);
    let header = header.ok_or_else(is_cut)?;
    let end = HEAD_LEN + header.frame_len();
    let payload = input.fill(end).map_err(failed)?.get(HEAD_LEN + FRAME_LEN..end);
    if !payload.is_some_and(|payload| unpacked.fill(&header, payload)) {
        return Err(is_cut());
    }
    parse(&unpacked.raw).map(|capture| (capture, end)).map_err(damaged)
}

fn parse(json: &[u8]) -> Result<Capture, String> {
    let capture: Capture = serde_json::from_slice(json)
        .map_err(|error| format!("the description of the capture is not understood ({error})"))?;
    // Each of them is compared with each attempt.
    let prefixes = capture.filter.src.len().max(capture.filter.dst.len());
    if prefixes > FILTER_PREFIXES as usize {
        return Err(format!("its filter has {prefixes} prefixes, and a capture can have {FILTER_PREFIXES}"));
    }
    Ok(capture)
}

/// The first capture that can be read in what is ahead. Each frame is looked at once, so this takes time by the bytes alone.
fn find_repeat(input: &mut Input, unpacked: &mut Unpacked) -> io::Result<Option<Capture>> {
    let (mut at, mut is_first) = (0, true);
    loop {
        let needed = at + FRAME_LEN;
        let ahead = input.fill(needed)?;
        if ahead.len() < needed || needed > MAX_SEARCH {
            return Ok(None);
        }
        let rest = ahead.get(at..).unwrap_or_default();
        let Some(header) = FrameHeader::parse(rest) else {
            // The next marker, or the last bytes that may be the beginning of one.
            let next = rest.get(1..).unwrap_or_default();
            let marker = next.windows(MARKER.len()).position(|four| four == MARKER);
            at += 1 + marker.unwrap_or(next.len() + 1 - MARKER.len());
            continue;
        };
        if header.kind == frame::KIND_CAPTURE && !is_first {
            // Another trace begins.
            return Ok(None);
        }
        is_first = false;
        if matches!(header.kind, frame::KIND_CAPTURE | frame::KIND_CAPTURE_AGAIN) {
            let frame = input.fill(at + header.frame_len())?;
            let payload = frame.get(at + FRAME_LEN..at + header.frame_len());
            if payload.is_some_and(|payload| unpacked.fill(&header, payload))
                && let Ok(capture) = parse(&unpacked.raw)
            {
                return Ok(Some(capture));
            }
        }
        at += header.frame_len();
    }
}
