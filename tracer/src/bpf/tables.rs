//! How full the conntrack tables of the namespaces are, read once a second.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use tracer_common::Event;
use tracer_common::events::{CtTable, Stamp};

use crate::netns::Netns;

const DIRECTORY: &str = "/proc/sys/net/netfilter";
const EVERY_NS: u64 = 1_000_000_000;

/// The tables of the namespaces that are looked at.
pub(super) struct ConntrackTables {
    tables: Vec<TableFiles>,
    next_ns: u64,
}

/// A file opened inside a namespace keeps showing that namespace.
struct TableFiles {
    inum: u32,
    count: File,
    max: File,
    /// It was nearly full when it was read last.
    was_reported: bool,
}

impl ConntrackTables {
    /// Those of namespaces where conntrack is in use.
    pub(super) fn open(namespaces: &[Netns]) -> anyhow::Result<Self> {
        let mut tables = Vec::new();
        for netns in namespaces {
            let inum = netns.inum()?;
            let file = |name: &str| File::open(Path::new(DIRECTORY).join(name)).ok();
            let files = netns.run(|| Ok(file("nf_conntrack_count").zip(file("nf_conntrack_max"))))?;
            tables.extend(files.map(|(count, max)| TableFiles { inum, count, max, was_reported: false }));
        }
        Ok(Self { tables, next_ns: 0 })
    }

    /// Reports every table that is nearly full, and once that one no longer is.
    pub(super) fn sample(&mut self, time_ns: u64, take: &mut impl FnMut(Event)) {
        if time_ns < self.next_ns {
            return;
        }
        self.next_ns = time_ns + EVERY_NS;
        for table in &mut self.tables {
            let Some((count, max)) = number(&table.count).zip(number(&table.max)) else { continue };
            let stamp = Stamp { time_ns, kind: CtTable::KIND, netns: table.inum };
            let event = CtTable { stamp, count, max };
            if event.is_nearly_full() || table.was_reported {
                take(event.into());
            }
            table.was_reported = event.is_nearly_full();
        }
    }
}

fn number(file: &File) -> Option<u32> {
    let mut bytes = [0; 16];
    let len = file.read_at(&mut bytes, 0).ok()?;
    std::str::from_utf8(bytes.get(..len)?).ok()?.trim().parse().ok()
}
