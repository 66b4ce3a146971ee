//! The conntrack table as observations: every translated connection of the last minutes, answered or not.
//!
//! A table is read from the kernel (`dump`), from /proc/net/nf_conntrack, or from what the tool `conntrack` wrote (`text`,
//! `events`). Each entry becomes at most one observation for the inference (`observations`).

mod dump;
mod entry;
mod events;
mod observations;
mod text;
mod wrapped;

use std::io::{self, BufRead, Read as _};

pub use entry::ConntrackEntry;
pub use observations::{EntryCounts, Observations};

use self::events::Events;
use self::text::ConntrackLine;
use self::wrapped::Wrapped;

/// A line that is longer is cut; those of conntrack have a few hundred bytes.
const MAX_LINE: u64 = 4096;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TableSource {
    Netlink,
    Proc,
}

/// Reads the table of the namespace of this thread, without making the kernel load anything; `None` where it has none.
pub fn read(observations: &mut Observations) -> anyhow::Result<Option<TableSource>> {
    observations.times = entry::Timeouts::read();
    if dump::is_loaded() {
        dump::read(|entry| observations.take(&entry))?;
        return Ok(Some(TableSource::Netlink));
    }
    match std::fs::File::open("/proc/thread-self/net/nf_conntrack") {
        Ok(file) => {
            lines(io::BufReader::with_capacity(1 << 16, file), observations)?;
            Ok(Some(TableSource::Proc))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(anyhow::Error::new(error).context("cannot read /proc/net/nf_conntrack")),
    }
}

/// Shows each TCP entry of the namespace of this thread; `false` where the kernel has no table that can be asked for without loading
/// anything.
pub fn entries(mut each: impl FnMut(&ConntrackEntry)) -> anyhow::Result<bool> {
    if !dump::is_loaded() {
        return Ok(false);
    }
    dump::read(|entry| each(&entry))?;
    Ok(true)
}

/// Reads lines of `conntrack -L`, `conntrack -E` or /proc/net/nf_conntrack, also with lines that a terminal or a mail has wrapped.
pub fn lines(mut input: impl BufRead, observations: &mut Observations) -> io::Result<()> {
    let mut events = Events::default();
    let mut wrapped = Wrapped::default();
    let mut line = Vec::with_capacity(512);
    let mut take = |text: &[u8], lines: u64| match text::parse(text) {
        Some(ConntrackLine::Entry(entry)) => observations.take(&entry),
        Some(ConntrackLine::Event(event, entry, second)) => events.take(event, &entry, second, observations),
        Some(ConntrackLine::OtherProtocol) => observations.counts.other_protocols += 1,
        None => observations.counts.not_understood += lines,
    };
    loop {
        line.clear();
        if (&mut input).take(MAX_LINE).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        wrapped.line(&line, &mut take);
    }
    wrapped.end(&mut take);
    events.end(observations);
    Ok(())
}
