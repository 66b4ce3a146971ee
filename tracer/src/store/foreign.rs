//! Names what a file is that is no trace, so that the message helps.

use super::frame::MAGIC;

/// First bytes of what people hand to a tool like this by mistake.
const KNOWN: &[(&[u8], &str)] = &[
    (&[0xd4, 0xc3, 0xb2, 0xa1], "a pcap file"),
    (&[0xa1, 0xb2, 0xc3, 0xd4], "a pcap file"),
    (&[0x4d, 0x3c, 0xb2, 0xa1], "a pcap file"),
    (&[0xa1, 0xb2, 0x3c, 0x4d], "a pcap file"),
    (&[0x0a, 0x0d, 0x0d, 0x0a], "a pcapng file"),
    (&[0x1f, 0x8b], "a gzip file, perhaps with a trace in it"),
    (&[0x28, 0xb5, 0x2f, 0xfd], "a zstd file, perhaps with a trace in it"),
    (&[0xfd, b'7', b'z', b'X', b'Z'], "an xz file, perhaps with a trace in it"),
    (b"PAR1", "a Parquet file"),
    (b"\x7fELF", "a program"),
    (b"{", "a JSON file"),
    (b"\x89SNTR\n", "a trace that a transfer as text has damaged"),
    (b"\x89SNTR\r\r", "a trace that a transfer as text has damaged"),
    (b"\xf5SNF", "the middle of a trace without its beginning"),
];

/// What a file is that begins with these bytes; `None` if it begins like a trace.
pub fn name(start: &[u8]) -> Option<&'static str> {
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
    Some(known.map_or("not a snatrace trace", |(_, what)| *what))
}
