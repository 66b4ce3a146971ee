//! Names what a file is that is no trace, so that the message helps.

use super::frame::MAGIC;

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
pub fn may_be_trace(what: &str) -> bool {
    [MIDDLE, UNKNOWN].contains(&what)
}

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
    Some(known.map_or(UNKNOWN, |(_, what)| *what))
}
