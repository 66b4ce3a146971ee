//! The beginning of a trace: head and capture. Without them it is no trace, or none that can be judged.

use std::path::Path;

use tracer_common::config::FILTER_PREFIXES;
use zstd::bulk::Decompressor;

use super::frame::{self, FRAME_LEN, FrameHeader, HEAD_LEN};
use super::input::Input;
use super::{Error, MAJOR, foreign};
use crate::model::Capture;

fn check_head(path: &Path, start: &[u8]) -> Result<(), Error> {
    let path = path.to_owned();
    if let Some(what) = foreign::name(start) {
        return Err(Error::NotATrace { path, what });
    }
    match frame::parse_head(start) {
        None => Err(Error::DamagedHead { path, what: "its first bytes are damaged or cut off".to_owned() }),
        Some((MAJOR, _)) => Ok(()),
        Some((0, _)) => Err(Error::DamagedHead { path, what: "invalid format version 0".to_owned() }),
        Some((major, minor)) => Err(Error::NewerMajor { path, major, minor }),
    }
}

/// Reads and checks head and capture; `raw` is a buffer to unpack into.
pub fn read(
    path: &Path,
    input: &mut Input,
    decompressor: &mut Decompressor<'static>,
    raw: &mut Vec<u8>,
) -> Result<Capture, Error> {
    let failed = |reason| Error::Read { path: path.to_owned(), reason };
    let damaged = |what: String| Error::DamagedHead { path: path.to_owned(), what };
    check_head(path, input.fill(HEAD_LEN).map_err(failed)?)?;
    input.skip(HEAD_LEN);
    let header = FrameHeader::parse(input.fill(FRAME_LEN).map_err(failed)?)
        .filter(|header| header.kind == frame::KIND_CAPTURE)
        .ok_or_else(|| damaged("the description of the capture is damaged or cut off".to_owned()))?;
    let frame = input.fill(header.frame_len()).map_err(failed)?;
    let payload = frame.get(FRAME_LEN..header.frame_len());
    if !payload.is_some_and(|payload| frame::unpack(decompressor, &header, payload, raw)) {
        return Err(damaged("the description of the capture is damaged or cut off".to_owned()));
    }
    let capture: Capture = serde_json::from_slice(raw)
        .map_err(|error| damaged(format!("the description of the capture is not understood ({error})")))?;
    // Each of them is compared with each attempt.
    let prefixes = capture.filter.src.len().max(capture.filter.dst.len());
    if prefixes > FILTER_PREFIXES as usize {
        return Err(damaged(format!("its filter has {prefixes} prefixes, and a capture can have {FILTER_PREFIXES}")));
    }
    input.skip(header.frame_len());
    Ok(capture)
}
