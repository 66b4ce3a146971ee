//! Which functions the running kernel has, by name: whether a module is there without anything that would load it.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};

use anyhow::Context as _;

/// The kernel's list; its names are readable without privileges.
const FILE: &str = "/proc/kallsyms";
/// No line is longer, so a strange file cannot fill the memory.
const LINE: u64 = 4096;

/// Those of the names that the kernel has, built in or in a module.
///
/// # Errors
/// When the kernel does not list its functions.
pub fn present(names: &[&'static str]) -> anyhow::Result<BTreeSet<&'static str>> {
    let file = File::open(FILE).with_context(|| format!("cannot read {FILE}"))?;
    search(BufReader::new(file), names).with_context(|| format!("cannot read {FILE}"))
}

fn search(mut lines: impl BufRead, names: &[&'static str]) -> std::io::Result<BTreeSet<&'static str>> {
    let (mut found, mut line) = (BTreeSet::new(), Vec::new());
    loop {
        line.clear();
        if lines.by_ref().take(LINE).read_until(b'\n', &mut line)? == 0 {
            return Ok(found);
        }
        // ffffffff81f2c4d0 T nfnl_lock [nfnetlink]
        let symbol = line.split(u8::is_ascii_whitespace).nth(2).unwrap_or_default();
        found.extend(names.iter().find(|name| name.as_bytes() == symbol));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

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
}
