//! Traces as a source. A thread of its own reads, unpacks and decodes them a few batches ahead, so that where there is a
//! second CPU only what follows takes time.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;

use anyhow::Context as _;
use tracer_common::Event;

use super::Source;
use crate::store::{Error, Merged, ReadReport};

/// Batches that wait at most.
const DEPTH: usize = 3;

type Batch = Vec<(u32, Event)>;

/// Traces that are read ahead.
#[derive(Debug)]
pub struct Ahead {
    read: Receiver<Read>,
    /// Batches on their way back, so that none is allocated anew.
    spent: Sender<Batch>,
    position: u64,
    report: ReadReport,
    reports: Vec<(PathBuf, ReadReport)>,
}

/// A batch, empty at the end, and what is known of the traces when it was read.
#[derive(Debug)]
struct Read {
    batch: Result<Batch, Error>,
    position: u64,
    /// Of the files that ended with this batch.
    reports: Vec<(PathBuf, ReadReport)>,
}

impl Ahead {
    /// Begins to read.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn new(traces: Merged) -> anyhow::Result<Self> {
        let (position, report) = (traces.position(), traces.report());
        let (to_pipeline, read) = sync_channel(DEPTH);
        let (spent, from_pipeline) = channel();
        let reader = move || read_on(traces, &from_pipeline, &to_pipeline);
        thread::Builder::new().name("reader".to_owned()).spawn(reader).context("cannot start a thread")?;
        Ok(Self { read, spent, position, report, reports: Vec::new() })
    }

    /// How many bytes of all files were used for what was handed on so far.
    #[must_use]
    pub const fn position(&self) -> u64 {
        self.position
    }

    /// What was read of the files that were read to their end.
    #[must_use]
    pub const fn report(&self) -> &ReadReport {
        &self.report
    }

    /// The same for each of them.
    #[must_use]
    pub fn reports(&self) -> &[(PathBuf, ReadReport)] {
        &self.reports
    }
}

impl Source for Ahead {
    async fn next(&mut self, batch: &mut Batch) -> anyhow::Result<bool> {
        let read = self.read.recv().context("the thread that reads the traces is gone")?;
        self.position = read.position;
        read.reports.iter().for_each(|(_, report)| self.report.add(report));
        self.reports.extend(read.reports);
        let spent = std::mem::replace(batch, read.batch?);
        // Nobody takes it back once everything is read.
        let _ = self.spent.send(spent);
        Ok(!batch.is_empty())
    }
}

/// Reads until the end, an error, or nobody listens. The thread is not waited for: it may be waiting for standard input.
fn read_on(mut traces: Merged, spent: &Receiver<Batch>, pipeline: &SyncSender<Read>) {
    let mut told = 0;
    loop {
        let mut batch = spent.try_recv().unwrap_or_default();
        let more = traces.next_batch(&mut batch);
        let is_over = !matches!(more, Ok(true));
        let reports = traces.reports().get(told..).unwrap_or_default().to_vec();
        told += reports.len();
        let read = Read { batch: more.map(|_| batch), position: traces.position(), reports };
        if pipeline.send(read).is_err() || is_over {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use std::fs;
    use std::path::Path;

    use tracer_common::events::{Stamp, Tick};

    use super::*;
    use crate::model::example;
    use crate::store::{BATCH, Writer};

    fn write(path: &Path, events: u64) {
        let mut writer = Writer::create(path, &example::capture("node-1")).unwrap();
        for time_ns in 1..=events {
            writer.write(&Tick { stamp: Stamp { time_ns, kind: Tick::KIND, netns: 0 } }.into()).unwrap();
        }
        writer.finish().unwrap();
    }

    /// The times of all events, and how reading ended.
    fn read(source: &mut impl Source) -> (Vec<u64>, anyhow::Result<bool>) {
        let (mut times, mut batch) = (Vec::new(), Batch::new());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        loop {
            match runtime.block_on(source.next(&mut batch)) {
                Ok(true) => times.extend(batch.iter().map(|(_, event)| event.stamp().time_ns)),
                end => return (times, end),
            }
        }
    }

    #[test]
    fn all_that_traces_hold_comes_in_order_with_what_is_known_of_the_files() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t");
        let events = (BATCH * (DEPTH + 3)) as u64 + 7;
        write(&path, events);
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, [&bytes, [0; 5].as_slice()].concat()).unwrap();
        let mut ahead = Ahead::new(Merged::open(&[&path]).unwrap()).unwrap();
        let (times, end) = read(&mut ahead);
        assert!(times.into_iter().eq(1..=events) && !end.unwrap());
        assert_eq!((ahead.report().events, ahead.position()), (events, bytes.len() as u64 + 5));
        assert_eq!(ahead.reports(), [(path, *ahead.report())]);
        assert_eq!(ahead.report().torn_bytes, 5);
    }

    #[test]
    fn a_failure_comes_after_what_was_read_before_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t");
        let events = 3 * BATCH as u64;
        write(&path, events);
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, bytes.repeat(2)).unwrap();
        let (times, end) = read(&mut Ahead::new(Merged::open(&[&path]).unwrap()).unwrap());
        assert!(times.into_iter().eq(1..=events));
        assert!(end.unwrap_err().is::<Error>());
    }
}
