//! Where a function of the kernel lies, from /proc/kallsyms.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::ops::Range;

/// From the function's first byte to the next symbol; `None` where the kernel keeps its addresses to itself.
pub(super) fn range_of(name: &str) -> Option<Range<u64>> {
    find(BufReader::new(File::open("/proc/kallsyms").ok()?), name)
}

/// The kernel's own symbols come sorted by address, and before those of modules.
fn find(mut symbols: impl BufRead, name: &str) -> Option<Range<u64>> {
    let (mut start, mut line) = (0, String::new());
    while symbols.read_line(&mut line).ok()? > 0 {
        let mut words = line.split_ascii_whitespace();
        let address = u64::from_str_radix(words.next()?, 16).ok()?;
        if start != 0 && address > start {
            return Some(start..address);
        }
        if words.nth(1) == Some(name) {
            start = address;
        }
        line.clear();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_ends_where_the_next_begins() {
        let symbols = "ff10 T nf_hook\nff20 T nf_hook_slow\nff20 t alias\nff80 T next\n";
        assert_eq!(find(symbols.as_bytes(), "nf_hook_slow"), Some(0xff20..0xff80));
        assert_eq!(find(symbols.as_bytes(), "missing"), None);
    }

    #[test]
    fn hidden_addresses_are_not_taken_for_real() {
        let symbols = "0000000000000000 T nf_hook_slow\n0000000000000000 T next\n";
        assert_eq!(find(symbols.as_bytes(), "nf_hook_slow"), None);
    }
}
