//! The running kernel's functions: whether one is there, without anything that would load its module, and where it lies.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::ops::{ControlFlow, Range};

use anyhow::Context as _;

/// The kernel's list; its names are readable without privileges.
const FILE: &str = "/proc/kallsyms";
/// No line is longer, so a strange file cannot fill the memory.
const LINE: u64 = 4096;

/// Those of the names that the kernel has, built in or in a module.
pub fn present(names: &[&'static str]) -> anyhow::Result<BTreeSet<&'static str>> {
    let file = File::open(FILE).with_context(|| format!("cannot read {FILE}"))?;
    search(BufReader::new(file), names).with_context(|| format!("cannot read {FILE}"))
}

fn search(lines: impl BufRead, names: &[&'static str]) -> io::Result<BTreeSet<&'static str>> {
    let mut found = BTreeSet::new();
    each(lines, |_, symbol| {
        found.extend(names.iter().find(|name| name.as_bytes() == symbol));
        ControlFlow::Continue(())
    })?;
    Ok(found)
}

/// From each function's first byte to the next symbol; `None` where the kernel keeps its addresses to itself.
pub fn ranges_of<const N: usize>(names: [&str; N]) -> [Option<Range<u64>>; N] {
    File::open(FILE).map_or([const { None }; N], |file| find(BufReader::new(file), names))
}

/// The kernel's own symbols come sorted by address, and before those of modules.
fn find<const N: usize>(lines: impl BufRead, names: [&str; N]) -> [Option<Range<u64>>; N] {
    let (mut starts, mut ranges) = ([0; N], [const { None }; N]);
    let read = each(lines, |address, symbol| {
        for ((start, range), name) in starts.iter_mut().zip(&mut ranges).zip(names) {
            if *start != 0 && range.is_none() && number(address) > *start {
                *range = Some(*start..number(address));
            }
            if symbol == name.as_bytes() {
                *start = number(address);
            }
        }
        if ranges.iter().all(Option::is_some) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    if read.is_ok() { ranges } else { [const { None }; N] }
}

/// Hands over address and name of each symbol, in the kernel's order, until stopped.
fn each(mut lines: impl BufRead, mut visit: impl FnMut(&[u8], &[u8]) -> ControlFlow<()>) -> io::Result<()> {
    let mut line = Vec::new();
    loop {
        line.clear();
        if lines.by_ref().take(LINE).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        // ffffffff81f2c4d0 T nfnl_lock [nfnetlink]
        let mut words = line.split(u8::is_ascii_whitespace);
        let (address, name) = (words.next().unwrap_or_default(), words.nth(1).unwrap_or_default());
        if visit(address, name).is_break() {
            return Ok(());
        }
    }
}

/// Hexadecimal digits; 0 for what is none, as for an address that is hidden.
fn number(digits: &[u8]) -> u64 {
    std::str::from_utf8(digits).ok().and_then(|digits| u64::from_str_radix(digits, 16).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_found_by_its_whole_name() {
        let list = "0000000000000000 T nfnl_lock\n0000000000000000 t nf_nat_setup_info\t[nf_nat]\n";
        let found = search(list.as_bytes(), &["nf_nat_setup_info", "nfnl", "nft_register_expr"]).unwrap();
        assert_eq!(found, BTreeSet::from(["nf_nat_setup_info"]));
    }

    #[test]
    fn a_list_without_line_ends_is_read_to_its_end() {
        assert!(search(&[b'x'; 10_000][..], &["nfnl_lock"]).unwrap().is_empty());
    }

    #[test]
    fn a_function_ends_where_the_next_begins() {
        let symbols = "ff10 T nf_hook\nff20 T nf_hook_slow\nff20 t alias\nff80 T next\n";
        let ranges = find(symbols.as_bytes(), ["nf_hook_slow", "missing", "nf_hook"]);
        assert_eq!(ranges, [Some(0xff20..0xff80), None, Some(0xff10..0xff20)]);
    }

    #[test]
    fn hidden_addresses_are_not_taken_for_real() {
        let symbols = "0000000000000000 T nf_hook_slow\n0000000000000000 T next\n";
        assert_eq!(find(symbols.as_bytes(), ["nf_hook_slow"]), [None]);
    }
}
