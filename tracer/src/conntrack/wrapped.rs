//! Entries of several lines: a terminal cuts a long line anywhere, a mail between two words.

use super::text;

/// A longer entry is no entry: those of conntrack have a few hundred bytes.
const MAX_ENTRY: usize = 4096;
/// Lines of one entry: a narrow terminal makes six.
const MAX_PIECES: u64 = 8;
/// What some editors write before a text.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// How words begin that conntrack writes after the first ones.
const KEYS: [&[u8]; 15] = [
    b"src=",
    b"dst=",
    b"sport=",
    b"dport=",
    b"[",
    b"packets=",
    b"bytes=",
    b"mark=",
    b"use=",
    b"zone=",
    b"zone-orig=",
    b"zone-reply=",
    b"secctx=",
    b"delta-time=",
    b"id=",
];

/// The beginning of an entry, which ends where the next one begins.
#[derive(Debug, Default)]
pub(super) struct Wrapped {
    text: Vec<u8>,
    pieces: u64,
}

impl Wrapped {
    /// The next line. `take` gets each entry that is complete, and of how many lines it is.
    pub(super) fn line(&mut self, line: &[u8], take: &mut impl FnMut(&[u8], u64)) {
        let line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line);
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.iter().all(u8::is_ascii_whitespace) {
            return self.end(take);
        }
        if text::names_protocol(line) {
            self.end(take);
            self.text.extend_from_slice(line);
            self.pieces = 1;
        } else if !self.continues(line) {
            self.end(take);
            take(line, 1);
        }
    }

    /// The entry that was begun.
    pub(super) fn end(&mut self, take: &mut impl FnMut(&[u8], u64)) {
        if self.pieces > 0 {
            take(&self.text, self.pieces);
        }
        self.text.clear();
        self.pieces = 0;
    }

    /// Adds a line; `false` where it is not of the entry.
    fn continues(&mut self, line: &[u8]) -> bool {
        if self.pieces == 0 || self.pieces == MAX_PIECES || self.text.len() + line.len() > MAX_ENTRY {
            return false;
        }
        let is_margin = |byte: &u8| byte.is_ascii_whitespace() || *byte == b'>';
        let margin = line.iter().take_while(|byte| is_margin(byte)).count();
        let (complete, length) = (text::parse(&self.text), self.text.len());
        // Inside a word there is no space.
        if margin > 0 || KEYS.iter().any(|key| line.starts_with(key)) {
            self.text.push(b' ');
        }
        self.text.extend_from_slice(&line[margin..]);
        let joined = text::parse(&self.text);
        // What changes nothing may be the end of the entry, or a prompt.
        let is_part = match complete {
            Some(_) if joined == complete => {
                line.iter().any(|byte| b"=]".contains(byte)) || line.iter().all(u8::is_ascii_digit)
            }
            Some(_) => joined.is_some(),
            None => true,
        };
        if is_part {
            self.pieces += 1;
        } else {
            self.text.truncate(length);
        }
        is_part
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRY: &str = "tcp      6 107 TIME_WAIT src=10.77.1.10 dst=198.51.100.80 sport=41138 dport=443 src=198.51.100.80 \
                         dst=192.0.2.10 sport=443 dport=41846 [ASSURED] mark=0 use=1";

    fn entries(text: &str) -> Vec<(Option<text::ConntrackLine>, u64)> {
        let (mut wrapped, mut found) = (Wrapped::default(), Vec::new());
        let mut take = |text: &[u8], lines| found.push((text::parse(text), lines));
        text.split_inclusive('\n').for_each(|line| wrapped.line(line.as_bytes(), &mut take));
        wrapped.end(&mut take);
        found
    }

    #[test]
    fn an_entry_that_is_cut_anywhere_is_one_entry() {
        let whole = text::parse(ENTRY.as_bytes());
        assert!(whole.is_some());
        for width in 30..ENTRY.len() {
            let pieces: Vec<&str> =
                ENTRY.as_bytes().chunks(width).map(|piece| std::str::from_utf8(piece).unwrap()).collect();
            for text in [pieces.join("\n"), pieces.join("\r\n")] {
                let found = entries(&format!("{text}\n{text}\n"));
                assert!(found.len() == 2 && found.iter().all(|(entry, _)| *entry == whole), "{text}: {found:?}");
            }
        }
    }

    #[test]
    fn an_entry_that_is_wrapped_between_words_is_one_entry() {
        let whole = text::parse(ENTRY.as_bytes());
        for (at, _) in ENTRY.match_indices(' ').filter(|(at, _)| *at > 24) {
            for between in ["\n", " \n", "\n    ", "\n> "] {
                let text = format!("{}{between}{}", &ENTRY[..at], &ENTRY[at + 1..]);
                assert_eq!(entries(&text), [(whole, 2)], "{text}");
            }
        }
    }

    #[test]
    fn prompts_and_marks_are_no_part_of_an_entry() {
        let text = format!("\u{feff}{ENTRY}\nroot@node:~# conntrack -L\n{ENTRY}\nconntrack v1.4.7: 2 flow entries\n\n");
        let found = entries(&text);
        assert_eq!(found.iter().map(|(entry, _)| entry.is_some()).collect::<Vec<_>>(), [true, false, true, false]);
        let cut = format!("{}\n{ENTRY}\n", &ENTRY[..90]);
        assert_eq!(entries(&cut), [(None, 1), (text::parse(ENTRY.as_bytes()), 1)]);
    }
}
