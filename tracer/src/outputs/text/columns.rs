//! Cells of fixed width in a line of text, and paragraphs that keep to the width of the page.
//!
//! Widths count characters: everything that is written here is one column wide, see `escape`.

use std::fmt::{self, Write};
use std::net::IpAddr;

use anstyle::Style;

/// No line is wider.
pub(super) const PAGE: usize = 120;

const INDENT: &str = "    ";

const SPACES: &str = "                                ";

/// Appends a cell: what `write` writes, cut to `width`, filled up with spaces, and one more to the next cell.
pub(crate) fn cell(
    line: &mut String,
    width: usize,
    style: Style,
    write: impl FnOnce(&mut String) -> fmt::Result,
) -> fmt::Result {
    // Most cells have none, and to write nothing by `write!` costs as much as a short cell.
    let is_plain = style.is_plain();
    if !is_plain {
        write!(line, "{style}")?;
    }
    let start = line.len();
    write(line)?;
    let written = &line[start..];
    // Nearly always so, and told at a fraction of what it costs to count characters.
    let used = if written.is_ascii() { written.len() } else { written.chars().count() };
    if used > width {
        let kept = written.char_indices().nth(width - 1).map_or(0, |(end, _)| end);
        line.truncate(start + kept);
        line.push('…');
    }
    if !is_plain {
        write!(line, "{style:#}")?;
    }
    spaces(line, width.saturating_sub(used) + 1);
    Ok(())
}

/// Appends so many spaces.
pub(super) fn spaces(line: &mut String, count: usize) {
    let mut left = count;
    while left > 0 {
        let some = left.min(SPACES.len());
        line.push_str(&SPACES[..some]);
        left -= some;
    }
}

/// Appends a number, at a fraction of what `write!` costs: a replay writes millions of them.
pub(super) fn number(line: &mut String, number: impl itoa::Integer) {
    line.push_str(itoa::Buffer::new().format(number));
}

/// Appends `address:port` in at most `width` characters: a longer address loses its middle.
pub(crate) fn endpoint(line: &mut String, address: IpAddr, port: u16, width: usize) -> fmt::Result {
    let start = line.len();
    match address {
        IpAddr::V4(address) => {
            for (octet, end) in address.octets().into_iter().zip(['.', '.', '.', ':']) {
                number(line, octet);
                line.push(end);
            }
            number(line, port);
        }
        IpAddr::V6(address) => write!(line, "[{address}]:{port}")?,
    }
    let over = (line.len() - start).saturating_sub(width);
    if over > 0 {
        // Both ends of an address tell more than its middle; brackets and port stay.
        let (first, end) = (start + 1, line.rfind(']').unwrap_or(line.len()));
        let kept = (end - first).saturating_sub(over + 1);
        let tail = kept / 2;
        line.replace_range(first + kept - tail..end - tail, "…");
    }
    Ok(())
}

/// Cuts plain ASCII from `start` on to `width` characters by taking out of its middle; more of its beginning stays.
pub(super) fn without_middle(line: &mut String, start: usize, width: usize) {
    let over = (line.len() - start).saturating_sub(width);
    if over > 0 {
        let head = start + (width - 1) * 2 / 3;
        line.replace_range(head..=head + over, "…");
    }
}

/// Appends a paragraph of plain ASCII, broken at spaces where it can be; lines after the first are indented.
pub(in crate::outputs) fn paragraph(out: &mut String, text: &str) {
    paragraph_of(PAGE, out, text);
}

/// The same with every line indented.
pub(super) fn indented(out: &mut String, text: &str) {
    out.push_str(INDENT);
    fill(PAGE, INDENT.len(), out, text);
}

/// A paragraph for a page of another width.
pub(crate) fn paragraph_of(page: usize, out: &mut String, text: &str) {
    fill(page, 0, out, text);
}

fn fill(page: usize, mut column: usize, out: &mut String, text: &str) {
    for (index, word) in text.split(' ').enumerate() {
        if index > 0 && column + 1 + word.len() <= page {
            out.push(' ');
            column += 1;
        } else if index > 0 {
            column = break_line(out);
        }
        let mut rest = word;
        while rest.len() > page - column {
            let (head, tail) = rest.split_at(page - column);
            out.push_str(head);
            column = break_line(out);
            rest = tail;
        }
        out.push_str(rest);
        column += rest.len();
    }
    out.push('\n');
}

fn break_line(out: &mut String) -> usize {
    out.push('\n');
    out.push_str(INDENT);
    INDENT.len()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    fn shown(address: &str, port: u16, width: usize) -> String {
        let mut line = String::from("x ");
        endpoint(&mut line, address.parse().unwrap(), port, width).unwrap();
        line.split_off(2)
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
            let mut line = String::new();
            cell(&mut line, 5, Style::new(), |line| line.write_str(text)).unwrap();
            assert_eq!(line + "|", expected);
        }
    }

    #[test]
    fn a_paragraph_keeps_to_the_page_even_without_spaces() {
        let mut out = String::new();
        paragraph(&mut out, &format!("{} {} end", "w ".repeat(70).trim(), "x".repeat(300)));
        assert!(out.lines().all(|line| line.len() <= PAGE), "{out}");
        assert_eq!(out.matches('x').count(), 300);
        assert!(out.ends_with("x end\n"), "{out}");
    }
}
