//! Counters of conntrack tables, read when metrics are asked for.
//!
//! The files are opened while snatrace may still enter network namespaces; a file shows the namespace that it was opened in.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;

use crate::netns::Netns;

/// Larger than what a machine of 512 processors has.
const MAX_LEN: usize = 128 << 10;

/// The files of the namespaces whose NAT is looked at.
#[derive(Debug, Default)]
pub struct ConntrackFiles(Vec<Files>);

#[derive(Debug)]
struct Files {
    netns: u32,
    entries: Option<File>,
    limit: Option<File>,
    counters: Option<File>,
}

/// What is known of one table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ConntrackTable {
    pub(super) netns: u32,
    pub(super) entries: Option<u64>,
    pub(super) limit: Option<u64>,
    /// By the names of the kernel: `insert_failed`, `drop`, ...
    pub(super) counters: HashMap<String, u64>,
}

impl ConntrackFiles {
    /// Opens those of the namespaces at these paths; of snatrace's own if there is none.
    pub fn open(namespaces: &[PathBuf]) -> anyhow::Result<Self> {
        let own = namespaces.is_empty().then(Netns::own);
        let all = own.into_iter().chain(namespaces.iter().map(|path| Netns::open(path)));
        all.map(|netns| {
            let netns = netns?;
            let inum = netns.inum()?;
            netns.run(|| {
                let sysctl = |name| File::open(format!("/proc/sys/net/netfilter/{name}")).ok();
                let (entries, limit) = (sysctl("nf_conntrack_count"), sysctl("nf_conntrack_max"));
                let counters = File::open("/proc/thread-self/net/stat/nf_conntrack").ok();
                Ok(Files { netns: inum, entries, limit, counters })
            })
        })
        .collect::<anyhow::Result<_>>()
        .map(Self)
    }

    pub(super) fn read(&self) -> Vec<ConntrackTable> {
        let number = |file: &Option<File>| text(file.as_ref()?).ok()?.trim().parse().ok();
        let counters = |file: &Option<File>| text(file.as_ref()?).ok();
        let table = |files: &Files| ConntrackTable {
            netns: files.netns,
            entries: number(&files.entries),
            limit: number(&files.limit),
            counters: parse(&counters(&files.counters).unwrap_or_default()),
        };
        self.0.iter().map(table).collect()
    }
}

fn text(file: &File) -> io::Result<String> {
    let (mut bytes, mut len) = (vec![0; MAX_LEN], 0);
    while len < bytes.len() {
        match file.read_at(&mut bytes[len..], len as u64)? {
            0 => break,
            read => len += read,
        }
    }
    bytes.truncate(len);
    String::from_utf8(bytes).map_err(io::Error::other)
}

/// A title line, then a line for each processor with its counters in hexadecimal.
fn parse(text: &str) -> HashMap<String, u64> {
    let mut lines = text.lines().map(str::split_whitespace);
    let names: Vec<&str> = lines.next().into_iter().flatten().collect();
    let mut sums = HashMap::new();
    for line in lines {
        for (name, value) in names.iter().zip(line) {
            let sum: &mut u64 = sums.entry((*name).to_owned()).or_default();
            *sum += u64::from_str_radix(value, 16).unwrap_or_default();
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_added_up_over_processors() {
        let text = "entries  clashres found insert_failed drop\n00000002 00000000 0000000a 00000001 00000000\n\
                    00000002  00000000 00000006 0000000f 00000003\n";
        let counters = parse(text);
        assert_eq!((counters["found"], counters["insert_failed"], counters["drop"]), (16, 16, 3));
        assert!(parse("").is_empty() && parse("a b\nx").contains_key("a"));
    }
}
