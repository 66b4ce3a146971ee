//! A line of text, put together from cells of fixed width.
//!
//! As bytes, since a replay writes millions of lines, and most of what is in them is ASCII that needs no check. Widths
//! count characters: everything that is written here is one column wide, see `escape`.

use std::fmt::{self, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::ops::Range;

use anstyle::Style;

const CUT: &str = "…";

/// Reused, so that a line costs no allocation.
#[derive(Debug)]
pub(super) struct TextLine {
    bytes: Vec<u8>,
    /// No character but ASCII was written, so bytes count as characters.
    is_ascii: bool,
}

impl Default for TextLine {
    fn default() -> Self {
        Self { bytes: Vec::with_capacity(256), is_ascii: true }
    }
}

impl Write for TextLine {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.is_ascii &= text.is_ascii();
        self.bytes.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

impl TextLine {
    /// What was written, without spaces at its end.
    pub(super) fn end(&mut self) -> &[u8] {
        let used = self.bytes.iter().rposition(|&byte| byte != b' ').map_or(0, |last| last + 1);
        self.bytes.truncate(used);
        self.bytes.push(b'\n');
        &self.bytes
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.is_ascii = true;
    }

    pub(super) const fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn truncate(&mut self, len: usize) {
        self.bytes.truncate(len);
    }

    /// Appends a cell: what `write` writes, cut to `width`, filled up with spaces, and one more to the next cell.
    pub(super) fn cell(
        &mut self,
        width: usize,
        style: Style,
        write: impl FnOnce(&mut Self) -> fmt::Result,
    ) -> fmt::Result {
        self.padded(width, width, style, write)
    }

    /// As `cell`, but only what is wider than `max` is cut.
    pub(super) fn padded(
        &mut self,
        width: usize,
        max: usize,
        style: Style,
        write: impl FnOnce(&mut Self) -> fmt::Result,
    ) -> fmt::Result {
        // Most cells have none, and to write nothing by `write!` costs as much as a short cell.
        let is_plain = style.is_plain();
        if !is_plain {
            write!(self, "{style}")?;
        }
        let start = self.len();
        write(self)?;
        let used = if self.is_ascii { self.len() - start } else { self.written(start).chars().count() };
        if used > max {
            let kept = self.written(start).char_indices().nth(width - 1).map_or(0, |(end, _)| end);
            self.truncate(start + kept);
            self.write_str(CUT)?;
        }
        if !is_plain {
            write!(self, "{style:#}")?;
        }
        self.spaces(width.saturating_sub(used) + 1);
        Ok(())
    }

    fn written(&self, start: usize) -> &str {
        std::str::from_utf8(&self.bytes[start..]).unwrap_or_default()
    }

    /// Appends so many spaces.
    pub(super) fn spaces(&mut self, count: usize) {
        self.bytes.resize(self.len() + count, b' ');
    }

    /// Appends ASCII.
    pub(super) fn ascii(&mut self, bytes: &[u8]) {
        debug_assert!(bytes.is_ascii());
        self.bytes.extend_from_slice(bytes);
    }

    /// Appends a number, at a fraction of what `write!` costs.
    pub(super) fn number(&mut self, number: impl itoa::Integer) {
        self.ascii(itoa::Buffer::new().format(number).as_bytes());
    }

    /// Appends `address:port` in at most `width` characters: a longer address loses its middle.
    pub(super) fn endpoint(&mut self, address: IpAddr, port: u16, width: usize) -> fmt::Result {
        let start = self.len();
        match address {
            IpAddr::V4(address) => {
                self.octets(address);
                self.number(port);
            }
            IpAddr::V6(address) => write!(self, "[{address}]:{port}")?,
        }
        let over = (self.len() - start).saturating_sub(width);
        if over > 0 {
            // Both ends of an address distinguish it better than its middle; brackets and port stay.
            let end = self.bytes.iter().rposition(|&byte| byte == b']' || byte == b':').unwrap_or(self.len());
            let end = if self.bytes.get(end - 1) == Some(&b']') { end - 1 } else { end };
            let first = start + usize::from(self.bytes.get(start) == Some(&b'['));
            let kept = (end - first).saturating_sub(over + 1);
            let tail = kept / 2;
            self.cut(first + kept - tail..end - tail);
        }
        Ok(())
    }

    /// Appends the address with a colon behind it.
    fn octets(&mut self, address: Ipv4Addr) {
        let (mut written, mut len) = ([0; 4 * OCTET], 0);
        for octet in address.octets() {
            // All four bytes, whatever their number: what is too much is written over.
            written[len..len + OCTET].copy_from_slice(&OCTETS[octet as usize]);
            len += 2 + usize::from(octet >= 10) + usize::from(octet >= 100);
        }
        written[len - 1] = b':';
        self.ascii(&written[..len]);
    }

    /// Cuts ASCII from `start` on to `width` characters by taking out of its middle; more of its beginning stays.
    pub(super) fn without_middle(&mut self, start: usize, width: usize) {
        let over = (self.len() - start).saturating_sub(width);
        if over > 0 {
            let head = start + (width - 1) * 2 / 3;
            self.cut(head..head + over + 1);
        }
    }

    fn cut(&mut self, range: Range<usize>) {
        self.bytes.splice(range, CUT.bytes());
        self.is_ascii = false;
    }
}

/// Digits of an octet, a dot, and what is left.
const OCTET: usize = 4;

static OCTETS: [[u8; OCTET]; 256] = {
    let mut all = [[b'.'; OCTET]; 256];
    let mut octet = 0;
    while octet < all.len() {
        let mut rest = octet;
        let mut at = 1 + (octet >= 10) as usize + (octet >= 100) as usize;
        while at > 0 {
            at -= 1;
            all[octet][at] = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        octet += 1;
    }
    all
};

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(address: &str, port: u16, width: usize) -> String {
        let mut line = TextLine::default();
        line.write_str("x ").unwrap();
        line.endpoint(address.parse().unwrap(), port, width).unwrap();
        line.written(2).to_owned()
    }

    #[test]
    fn every_octet_is_shown_as_std_does() {
        for octet in 0..=255_u8 {
            let address = Ipv4Addr::new(octet, 255 - octet, octet / 2, octet.reverse_bits());
            assert_eq!(shown(&address.to_string(), 65535, 21), format!("{address}:65535"));
        }
    }

    #[test]
    fn an_ipv4_endpoint_is_never_cut() {
        assert_eq!(shown("255.255.255.255", 65535, 21), "255.255.255.255:65535");
    }

    #[test]
    fn a_long_ipv6_address_loses_its_middle_and_keeps_its_port() {
        assert_eq!(shown("2001:db8::7", 443, 21), "[2001:db8::7]:443");
        assert_eq!(shown("2001:db8:1:2:3:4:5:6789", 65535, 21), "[2001:d…5:6789]:65535");
        assert_eq!(shown("2001:db8:1:2:3:4:5:6789", 443, 21), "[2001:db…:5:6789]:443");
    }

    #[test]
    fn a_cell_has_its_width_whatever_is_in_it() {
        for (text, expected) in [
            ("", "      |"),
            ("abc", "abc   |"),
            ("abcde", "abcde |"),
            ("abcdef", "abcd… |"),
            ("ab…e", "ab…e  |"),
            ("ab…efg", "ab…e… |"),
        ] {
            let mut line = TextLine::default();
            line.cell(5, Style::new(), |line| line.write_str(text)).unwrap();
            line.write_str("|").unwrap();
            assert_eq!(line.written(0), expected);
        }
    }

    #[test]
    fn what_was_cut_in_one_cell_counts_in_the_next() {
        let mut line = TextLine::default();
        let address = "2001:db8:1:2:3:4:5:6789".parse().unwrap();
        for _ in 0..2 {
            line.cell(21, Style::new(), |line| line.endpoint(address, 443, 21)).unwrap();
        }
        assert_eq!(line.end(), "[2001:db…:5:6789]:443 [2001:db…:5:6789]:443\n".as_bytes());
    }
}
