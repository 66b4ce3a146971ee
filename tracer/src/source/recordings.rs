//! Opens files by their content: traces and packet captures, as one stream.

use std::path::{Path, PathBuf};

use crate::pcap::{self, Opened, PacketOptions, Packets};
use crate::store::{Error, Merged, Reader, Recording, Sessions, max_open};

/// Opens all files. Each trace is a recording of its node; all packet captures together are one, of one node.
///
/// # Errors
/// When there are none, one cannot be read or is neither, or two traces hold the same events.
pub fn open(paths: &[PathBuf], options: &PacketOptions) -> Result<Merged, Error> {
    let (mut traces, mut captures) = (Sessions::default(), Vec::new());
    let keep_open = paths.len() <= max_open();
    for path in paths {
        match pcap::open(path, keep_open)? {
            Opened::Packets(unpacked) => captures.push(unpacked),
            Opened::Other(bytes) => {
                let name = if path == Path::new(crate::store::STDIO) { Path::new("standard input") } else { path };
                traces.add(path, Reader::new(name, bytes)?)?;
            }
        }
    }
    let mut others: Vec<Box<dyn Recording>> = Vec::new();
    if !captures.is_empty() {
        others.push(Box::new(Packets::new(captures, options)?));
    }
    Merged::of(traces, others)
}
