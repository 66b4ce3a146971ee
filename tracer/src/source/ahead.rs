//! Traces as a source. A thread of its own reads, unpacks and decodes them a few batches ahead, and another one may make
//! something else of that, so that where there is more than one CPU only the last of it takes time.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;

use anyhow::Context as _;
use tracer_common::Event;

use super::Source;
use crate::store::{Error, Merged, ReadReport};

/// Batches that wait at most.
const DEPTH: usize = 3;
/// Most that a maker hands on at once.
const MOST: usize = 1024;

/// What is made of batches in a thread of its own.
pub trait Maker<T, U> {
    /// Tells `out` what follows from a batch.
    fn take(&mut self, batch: &[T], out: &mut impl FnMut(U));

    /// Tells `out` what is left at the end.
    fn finish(&mut self, out: &mut impl FnMut(U));
}

/// Traces that are read ahead.
#[derive(Debug)]
pub struct Ahead<T> {
    read: Receiver<Read<T>>,
    /// Batches on their way back, so that none is allocated anew.
    spent: Sender<Vec<T>>,
    position: u64,
    report: ReadReport,
    reports: Reports,
}

type Reports = Vec<(PathBuf, ReadReport)>;

/// A batch, and what is known of the traces when it was read.
#[derive(Debug)]
struct Read<T> {
    batch: Result<Vec<T>, Error>,
    /// Nothing follows.
    is_over: bool,
    position: u64,
    /// Of the files that ended with this batch.
    reports: Reports,
}

/// The other end.
struct Reader<T> {
    to: SyncSender<Read<T>>,
    spent: Receiver<Vec<T>>,
}

impl<T> Reader<T> {
    /// An empty batch.
    fn batch(&self) -> Vec<T> {
        let mut batch = self.spent.try_recv().unwrap_or_default();
        batch.clear();
        batch
    }
}

impl Ahead<(u32, Event)> {
    /// Begins to read.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn new(traces: Merged) -> anyhow::Result<Self> {
        let (position, report) = (traces.position(), traces.report());
        Self::start("reader", position, report, move |reader| read_on(traces, &reader))
    }
}

impl<T: Send + 'static> Ahead<T> {
    fn start(
        name: &str,
        position: u64,
        report: ReadReport,
        work: impl FnOnce(Reader<T>) + Send + 'static,
    ) -> anyhow::Result<Self> {
        let (to, read) = sync_channel(DEPTH);
        let (back, spent) = channel();
        let reader = Reader { to, spent };
        // Not waited for: it may be waiting for standard input.
        thread::Builder::new().name(name.to_owned()).spawn(|| work(reader)).context("cannot start a thread")?;
        Ok(Self { read, spent: back, position, report, reports: Reports::new() })
    }

    /// Lets a thread of its own make something else of what is read.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn then<U: Send + 'static>(
        self,
        name: &str,
        maker: impl Maker<T, U> + Send + 'static,
    ) -> anyhow::Result<Ahead<U>> {
        let (position, report, reports) = (self.position, self.report, self.reports.clone());
        let ahead = Ahead::start(name, position, report, move |reader| work_on(&self, maker, &reader))?;
        Ok(Ahead { reports, ..ahead })
    }
}

impl<T> Ahead<T> {
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

impl<T> Source for Ahead<T> {
    type Item = T;

    async fn next(&mut self, batch: &mut Vec<T>) -> anyhow::Result<bool> {
        let read = self.read.recv().context("a thread that reads ahead is gone")?;
        self.position = read.position;
        read.reports.iter().for_each(|(_, report)| self.report.add(report));
        self.reports.extend(read.reports);
        let spent = std::mem::replace(batch, read.batch?);
        // Nobody takes it back once everything is read.
        let _ = self.spent.send(spent);
        Ok(!read.is_over)
    }
}

/// Reads until the end, an error, or nobody listens.
fn read_on(mut traces: Merged, reader: &Reader<(u32, Event)>) {
    let mut told = 0;
    loop {
        let mut batch = reader.batch();
        let more = traces.next_batch(&mut batch);
        let is_over = !matches!(more, Ok(true));
        let reports = traces.reports().get(told..).unwrap_or_default().to_vec();
        told += reports.len();
        let read = Read { batch: more.map(|_| batch), is_over, position: traces.position(), reports };
        if reader.to.send(read).is_err() || is_over {
            return;
        }
    }
}

/// The same with what a maker makes of it.
fn work_on<T, U>(from: &Ahead<T>, mut maker: impl Maker<T, U>, reader: &Reader<U>) {
    let mut made = Made { reader, position: from.position, batch: Vec::new(), is_heard: true };
    for Read { batch, is_over, position, reports } in &from.read {
        made.position = position;
        let batch = batch.map(|batch| {
            maker.take(&batch, &mut |item| made.push(item));
            // Nobody takes it back once everything is read.
            let _ = from.spent.send(batch);
            if is_over {
                maker.finish(&mut |item| made.push(item));
            }
        });
        made.hand_on();
        // The end, a failure and what is known of a file come after what was made.
        if is_over || !reports.is_empty() {
            made.send(Read { batch: batch.map(|()| Vec::new()), is_over, position, reports });
        }
        if is_over || !made.is_heard {
            return;
        }
    }
}

/// What was made and not handed on yet.
struct Made<'a, T> {
    reader: &'a Reader<T>,
    position: u64,
    batch: Vec<T>,
    is_heard: bool,
}

impl<T> Made<'_, T> {
    fn push(&mut self, item: T) {
        self.batch.push(item);
        if self.batch.len() == MOST {
            self.hand_on();
        }
    }

    fn hand_on(&mut self) {
        let batch = std::mem::replace(&mut self.batch, self.reader.batch());
        self.send(Read { batch: Ok(batch), is_over: false, position: self.position, reports: Reports::new() });
    }

    fn send(&mut self, read: Read<T>) {
        self.is_heard = self.is_heard && self.reader.to.send(read).is_ok();
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
    fn read(source: &mut impl Source<Item = (u32, Event)>) -> (Vec<u64>, anyhow::Result<bool>) {
        let (events, end) = all(source);
        (events.iter().map(|(_, event)| event.stamp().time_ns).collect(), end)
    }

    fn all<T: Copy>(source: &mut impl Source<Item = T>) -> (Vec<T>, anyhow::Result<bool>) {
        let (mut all, mut batch) = (Vec::new(), Vec::new());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        loop {
            match runtime.block_on(source.next(&mut batch)) {
                Ok(true) => all.extend(batch.iter().copied()),
                end => return (all, end),
            }
        }
    }

    /// Tells each time twice, and at the end many more.
    struct Twice;

    impl Maker<(u32, Event), u64> for Twice {
        fn take(&mut self, batch: &[(u32, Event)], out: &mut impl FnMut(u64)) {
            batch.iter().flat_map(|(_, event)| [event.stamp().time_ns; 2]).for_each(out);
        }

        fn finish(&mut self, out: &mut impl FnMut(u64)) {
            (0..LEFT).for_each(out);
        }
    }

    /// What is left at the end, in more than one batch.
    const LEFT: u64 = 3 * MOST as u64 + 1;

    #[test]
    fn a_maker_hands_on_everything_and_what_is_known_of_the_files() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t");
        let events = (BATCH * (DEPTH + 3)) as u64 + 7;
        write(&path, events);
        let ahead = Ahead::new(Merged::open(&[&path]).unwrap()).unwrap();
        let mut ahead = ahead.then("twice", Twice).unwrap();
        let (times, end) = all(&mut ahead);
        assert!(times.into_iter().eq((1..=events).flat_map(|time| [time; 2]).chain(0..LEFT)) && !end.unwrap());
        assert_eq!((ahead.report().events, ahead.position()), (events, fs::metadata(&path).unwrap().len()));
        assert_eq!(ahead.reports(), [(path, *ahead.report())]);
    }

    #[test]
    fn a_maker_ends_when_nobody_listens_any_more() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t");
        write(&path, (BATCH * (2 * DEPTH + 8)) as u64);
        let (gone, ended) = sync_channel(0);
        let ahead = Ahead::new(Merged::open(&[&path]).unwrap()).unwrap();
        let first = Ahead::<u64>::start("twice", 0, *ahead.report(), move |reader| {
            work_on(&ahead, Twice, &reader);
            gone.send(()).unwrap();
        });
        drop(first.unwrap());
        ended.recv().unwrap();
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
        let open = || Ahead::new(Merged::open(&[&path]).unwrap()).unwrap();
        let (times, end) = read(&mut open());
        assert!(times.into_iter().eq(1..=events));
        assert!(end.unwrap_err().is::<Error>());
        let (times, end) = all(&mut open().then("twice", Twice).unwrap());
        assert!(times.into_iter().eq((1..=events).flat_map(|time| [time; 2])));
        assert!(end.unwrap_err().is::<Error>());
    }
}
