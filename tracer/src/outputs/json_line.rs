//! One line of JSON. Its bytes are ASCII, so a name cannot steer a terminal that shows it.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::Formatter;

use super::escape::is_plain;

/// Writes an object and ends the line.
pub(crate) fn write_line(out: &mut impl Write, line: &impl Serialize) -> io::Result<()> {
    line.serialize(&mut serde_json::Serializer::with_formatter(&mut *out, Ascii))?;
    out.write_all(b"\n")
}

/// Compact JSON whose strings are plain ASCII.
struct Ascii;

impl Formatter for Ascii {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        // Nearly always so, and checked at a fraction of the cost of going from character to character.
        if fragment.bytes().all(|byte| is_plain(byte.into())) {
            return out.write_all(fragment.as_bytes());
        }
        for part in fragment.split_inclusive(|char| !is_plain(char)) {
            let plain = part.trim_end_matches(|char| !is_plain(char));
            out.write_all(plain.as_bytes())?;
            for unit in part[plain.len()..].encode_utf16() {
                write!(out, "\\u{unit:04x}")?;
            }
        }
        Ok(())
    }
}
