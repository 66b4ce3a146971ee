//! Traces as a source, each stage in a thread of its own: one reads, unpacks and decodes a few batches ahead, another one joins
//! what was read. Where there is more than one CPU only the last stage takes time.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;

use anyhow::Context as _;
use tracer_common::Event;

use super::Source;
use crate::join::{Joins, Update};
use crate::store::{Error, Merged, ReadReport};

/// Batches that a stage may be ahead of the next one.
const MAX_BATCHES_AHEAD: usize = 3;

pub struct Ahead<T> {
    /// `None` once [`Source::stop`] was called.
    batches: Option<Receiver<Batch<T>>>,
    /// Batches on their way back, so that they are reused.
    used: Sender<Vec<T>>,
    position: u64,
    report: ReadReport,
    reports: Reports,
}

type Reports = Vec<(PathBuf, ReadReport)>;

/// A batch, and what is known of the traces once it is read.
#[derive(Debug)]
struct Batch<T> {
    items: Result<Vec<T>, Error>,
    is_last: bool,
    position: u64,
    /// Of the files that ended with this batch.
    reports: Reports,
}

/// Where a stage hands its batches on to.
struct Next<T> {
    to: SyncSender<Batch<T>>,
    used: Receiver<Vec<T>>,
}

impl<T> Next<T> {
    fn batch(&self) -> Vec<T> {
        let mut batch = self.used.try_recv().unwrap_or_default();
        batch.clear();
        batch
    }

    /// Hands a batch on; `false` once the next stage is gone.
    fn send(&self, batch: Batch<T>) -> bool {
        self.to.send(batch).is_ok()
    }
}

impl Ahead<(u32, Event)> {
    pub fn new(traces: Merged) -> anyhow::Result<Self> {
        let (position, report) = (traces.position(), traces.report());
        Self::start("reader", position, report, move |next| read_all(traces, &next))
    }

    /// Has what is read joined in another thread, for so many nodes.
    pub fn joined(self, nodes: usize) -> anyhow::Result<Ahead<(u32, Update)>> {
        let (position, report, reports) = (self.position, self.report, self.reports.clone());
        let joins = Joins::new(nodes);
        let ahead = Ahead::start("join", position, report, move |next| join_all(&self, joins, &next))?;
        Ok(Ahead { reports, ..ahead })
    }
}

impl<T: Send + 'static> Ahead<T> {
    fn start(
        name: &str,
        position: u64,
        report: ReadReport,
        stage: impl FnOnce(Next<T>) + Send + 'static,
    ) -> anyhow::Result<Self> {
        let (to, batches) = sync_channel(MAX_BATCHES_AHEAD);
        let (back, used) = channel();
        let next = Next { to, used };
        // Not waited for: it may be waiting for standard input.
        thread::Builder::new().name(name.to_owned()).spawn(|| stage(next)).context("cannot start a thread")?;
        Ok(Self { batches: Some(batches), used: back, position, report, reports: Reports::new() })
    }
}

impl<T> Ahead<T> {
    /// How many bytes of all files were used for what was handed on so far.
    pub const fn position(&self) -> u64 {
        self.position
    }

    /// What was read of the files that were read to their end.
    pub const fn report(&self) -> &ReadReport {
        &self.report
    }

    /// Its report for each capture.
    pub fn reports(&self) -> &[(PathBuf, ReadReport)] {
        &self.reports
    }
}

impl<T> Source for Ahead<T> {
    type Item = T;

    async fn next(&mut self, batch: &mut Vec<T>) -> anyhow::Result<bool> {
        let Some(batches) = &self.batches else { return Ok(false) };
        let Batch { items, is_last, position, reports } =
            batches.recv().context("a thread that reads ahead is gone")?;
        self.position = position;
        reports.iter().for_each(|(_, report)| self.report.add(report));
        self.reports.extend(reports);
        let used = std::mem::replace(batch, items?);
        // The other end is gone once everything is read.
        let _ = self.used.send(used);
        Ok(!is_last)
    }

    /// What the threads are ahead is dropped: they end when they hand on the next batch.
    fn stop(&mut self) {
        self.batches = None;
    }
}

/// The first stage: reads until the end, an error, or the next stage is gone.
fn read_all(mut traces: Merged, next: &Next<(u32, Event)>) {
    let mut reported = 0;
    loop {
        let mut batch = next.batch();
        let more = traces.next_batch(&mut batch);
        let is_last = !matches!(more, Ok(true));
        let reports = traces.reports().get(reported..).unwrap_or_default().to_vec();
        reported += reports.len();
        let is_wanted = next.send(Batch { items: more.map(|_| batch), is_last, position: traces.position(), reports });
        if is_last || !is_wanted {
            return;
        }
    }
}

/// The second stage: joins what the first one read.
fn join_all(from: &Ahead<(u32, Event)>, mut joins: Joins, next: &Next<(u32, Update)>) {
    for Batch { items, is_last, position, reports } in from.batches.iter().flatten() {
        let mut join = |events: &[(u32, Event)]| {
            let mut rest = events;
            while !rest.is_empty() || is_last {
                let mut updates = next.batch();
                if rest.is_empty() {
                    joins.finish(&mut updates);
                    if updates.is_empty() {
                        break;
                    }
                } else {
                    let taken = joins.take(rest, &mut updates);
                    rest = rest.get(taken..).unwrap_or_default();
                }
                if !next.send(Batch { items: Ok(updates), is_last: false, position, reports: Reports::new() }) {
                    return false;
                }
            }
            true
        };
        let joined = items.map(|events| {
            let is_wanted = join(&events);
            // The other end is gone once everything is read.
            let _ = from.used.send(events);
            is_wanted
        });
        if let Ok(false) = joined {
            return;
        }
        // The end, a failure and what is known of a file come after what was joined.
        let is_news = is_last || !reports.is_empty();
        if is_news && !next.send(Batch { items: joined.map(|_| Vec::new()), is_last, position, reports }) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use tracer_common::events::{Stamp, Tick, WIRE_EGRESS, WIRE_SYN, Wire};

    use super::*;
    use crate::join::UpdateKind;
    use crate::model::example;
    use crate::store::{BATCH, Writer};

    fn write(path: &Path, events: impl IntoIterator<Item = Event>) {
        let mut writer = Writer::create(path, &example::capture("node-1")).unwrap();
        events.into_iter().for_each(|event| writer.write(&event).unwrap());
        writer.finish().unwrap();
    }

    fn ticks(count: u64) -> impl Iterator<Item = Event> {
        (1..=count).map(|time_ns| Tick { stamp: Stamp { time_ns, kind: Tick::KIND, netns: 0 } }.into())
    }

    /// The times of all events, and how reading ended.
    fn read(source: &mut impl Source<Item = (u32, Event)>) -> (Vec<u64>, anyhow::Result<bool>) {
        let (events, end) = all(source);
        (events.iter().map(|(_, event)| event.stamp().time_ns).collect(), end)
    }

    fn all<T: Clone>(source: &mut impl Source<Item = T>) -> (Vec<T>, anyhow::Result<bool>) {
        let (mut all, mut batch) = (Vec::new(), Vec::new());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        loop {
            match runtime.block_on(source.next(&mut batch)) {
                Ok(true) => all.extend(batch.iter().cloned()),
                end => return (all, end),
            }
        }
    }

    fn open(path: &Path) -> Merged {
        crate::source::open(&[path.to_owned()], &crate::pcap::PacketOptions::default()).unwrap()
    }

    /// So many attempts begin, all at once.
    fn attempts(count: u32) -> impl Iterator<Item = Event> {
        let flow = example::flow("192.0.2.1:40000", "203.0.113.80:443");
        let stamp = Stamp { time_ns: 1, kind: Wire::KIND, netns: 0 };
        let (packet, direction) = (WIRE_SYN, WIRE_EGRESS);
        (0..count).map(move |isn| Wire { stamp, flow, isn, ifindex: 2, packet, direction, detail: 0 }.into())
    }

    /// Those of the updates that say that an attempt has ended.
    fn ended(updates: &[(u32, Update)]) -> usize {
        let is_it = |update: &Update| matches!(update, Update::Attempt { kind: UpdateKind::Ended, .. });
        updates.iter().filter(|(_, update)| is_it(update)).count()
    }

    /// More than fit into one batch, of events and of updates.
    const ATTEMPTS: u32 = (BATCH * (MAX_BATCHES_AHEAD + 3)) as u32 + 7;

    #[test]
    fn all_updates_are_handed_on_with_what_is_known_of_the_files() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t");
        write(&path, attempts(ATTEMPTS));
        let mut ahead = Ahead::new(open(&path)).unwrap().joined(1).unwrap();
        let (updates, end) = all(&mut ahead);
        assert!(ended(&updates) == ATTEMPTS as usize && !end.unwrap());
        assert!(matches!(updates.last(), Some((0, Update::Evicted(0)))));
        assert_eq!((ahead.report().events, ahead.position()), (ATTEMPTS.into(), fs::metadata(&path).unwrap().len()));
        assert_eq!(ahead.reports(), [(path, *ahead.report())]);
    }

    #[test]
    fn joining_ends_when_nobody_wants_any_more() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t");
        write(&path, ticks((BATCH * (2 * MAX_BATCHES_AHEAD + 8)) as u64));
        let (gone, has_ended) = sync_channel(0);
        let ahead = Ahead::new(open(&path)).unwrap();
        let joined = Ahead::start("join", 0, *ahead.report(), move |next| {
            join_all(&ahead, Joins::new(1), &next);
            gone.send(()).unwrap();
        });
        joined.unwrap().stop();
        has_ended.recv().unwrap();
    }

    #[test]
    fn all_that_traces_hold_comes_in_order_with_what_is_known_of_the_files() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t");
        let events = (BATCH * (MAX_BATCHES_AHEAD + 3)) as u64 + 7;
        write(&path, ticks(events));
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, [&bytes, [0; 5].as_slice()].concat()).unwrap();
        let mut ahead = Ahead::new(open(&path)).unwrap();
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
        write(&path, ticks(events));
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, bytes.repeat(2)).unwrap();
        let ahead = || Ahead::new(open(&path)).unwrap();
        let (times, end) = read(&mut ahead());
        assert!(times.into_iter().eq(1..=events));
        assert!(end.unwrap_err().is::<Error>());
        let (updates, end) = all(&mut ahead().joined(1).unwrap());
        assert!(ended(&updates) == 0 && end.unwrap_err().is::<Error>());
    }
}
