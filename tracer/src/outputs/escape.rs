//! Strings from the kernel, from traces and from file names, made harmless for a terminal.
//!
//! Only printable ASCII passes. Everything else, from escape sequences to right-to-left overrides, is shown as its code
//! point; so a character is one column wide, and a hostile name can neither recolour, rewrite nor break a line.

use std::fmt::{self, Write};

/// Whether the character is shown as it is.
pub const fn is_plain(char: char) -> bool {
    matches!(char, ' '..='~')
}

/// Shows a text with everything that is not plain escaped.
#[derive(Clone, Copy, Debug)]
pub struct Escaped<'a>(pub &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|char| {
            if is_plain(char) { f.write_char(char) } else { write!(f, "{}", char.escape_default()) }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_steer_a_terminal_is_shown_as_its_code_point() {
        for (given, shown) in [
            ("node7.example", "node7.example"),
            ("\x1b[31mred", r"\u{1b}[31mred"),
            ("a\nb\r\tc", r"a\nb\r\tc"),
            ("\u{9b}2J", r"\u{9b}2J"),
            ("\u{202e}gpj.exe", r"\u{202e}gpj.exe"),
            ("\u{7f}", r"\u{7f}"),
            ("Rüdiger", r"R\u{fc}diger"),
        ] {
            assert_eq!(Escaped(given).to_string(), shown);
        }
    }
}
