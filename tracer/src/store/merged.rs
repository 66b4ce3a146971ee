//! Several recordings as one stream, by wall-clock time.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::path::{Path, PathBuf};

use nix::sys::resource::{Resource, getrlimit};
use tracer_common::Event;

use super::recording::Recording;
use super::session::Session;
use super::{BATCH, Error, ReadReport, Reader};
use crate::model::Capture;

const MAX_OPEN: usize = 256;
/// Events read ahead at most, of all recordings together: 0.1 GB.
const MAX_AHEAD: usize = 1 << 20;
/// Of each recording at least.
const MIN_BATCH: usize = 64;

/// Events read ahead of a recording; those before `at` were taken.
#[derive(Default)]
struct PendingEvents {
    events: Vec<(u32, Event)>,
    at: usize,
}

/// Traces by their recordings, for [`Merged::of`].
#[derive(Default)]
pub struct Sessions(Vec<Session>);

impl Sessions {
    /// Adds a trace whose beginning was read. It is not kept open where it can be opened again.
    pub fn add(&mut self, path: &Path, reader: Reader) -> Result<(), Error> {
        match self.0.iter_mut().find(|session| session.has(&reader.capture)) {
            Some(session) => session.add(path, reader),
            None => {
                self.0.push(Session::new(path, reader));
                Ok(())
            }
        }
    }
}

/// Recordings while they are read. The order of events, and of captures, does not depend on the order in which files were named.
pub struct Merged {
    recordings: Vec<Box<dyn Recording>>,
    ahead: Vec<PendingEvents>,
    /// The recordings that have events ahead: wall-clock time of the first one, number of the recording.
    next: BinaryHeap<Reverse<(i128, u32)>>,
    started: bool,
    /// Recordings whose files may be open, from the one that was read first
    open: VecDeque<u32>,
    max_open: usize,
    /// Events that are read of one at once
    batch: usize,
    /// Comes after the events that were read before it.
    failure: Option<Error>,
    reports: Vec<(PathBuf, ReadReport)>,
}

impl Merged {
    pub fn of(sessions: Sessions, others: Vec<Box<dyn Recording>>) -> Self {
        let sessions = sessions.0.into_iter().map(|session| Box::new(session) as Box<dyn Recording>);
        let mut recordings: Vec<_> = sessions.chain(others).collect();
        recordings.sort_by(|a, b| order(a.capture()).cmp(&order(b.capture())));
        let ahead = recordings.iter().map(|_| PendingEvents::default()).collect();
        let batch = (MAX_AHEAD / recordings.len().max(1)).clamp(MIN_BATCH, BATCH);
        Self {
            recordings,
            ahead,
            next: BinaryHeap::new(),
            started: false,
            open: VecDeque::new(),
            max_open: max_open(),
            batch,
            failure: None,
            reports: Vec::new(),
        }
    }

    #[cfg(test)]
    pub(super) fn with_limits(self, max_open: usize, batch: usize) -> Self {
        Self { max_open, batch, ..self }
    }

    /// One for each recording, sorted by node; the events' numbers refer to it.
    pub fn captures(&self) -> Vec<Capture> {
        self.recordings.iter().map(|recording| recording.capture().clone()).collect()
    }

    /// Replaces the contents of `batch` with the next events, at least one; `false`, and an empty batch, at the end. Damage is no error: it is in the report.
    pub fn next_batch(&mut self, batch: &mut Vec<(u32, Event)>) -> Result<bool, Error> {
        batch.clear();
        if let [only] = self.recordings.as_mut_slice() {
            return only.read(BATCH, 0, batch, &mut self.reports);
        }
        if !std::mem::replace(&mut self.started, true) {
            for number in 0..self.recordings.len() {
                self.read_ahead(number as u32)?;
            }
        }
        while batch.len() < BATCH && self.failure.is_none() {
            let Some(Reverse((_, number))) = self.next.pop() else { break };
            batch.extend(self.take(number));
            self.failure = self.read_ahead(number).err();
        }
        if batch.is_empty() { self.failure.take().map_or(Ok(false), Err) } else { Ok(true) }
    }

    pub fn position(&self) -> u64 {
        self.recordings.iter().map(|recording| recording.position()).sum()
    }

    /// What was read of each file so far read to its end, in that order.
    pub fn reports(&self) -> &[(PathBuf, ReadReport)] {
        &self.reports
    }

    pub fn report(&self) -> ReadReport {
        let mut sum = ReadReport::default();
        self.reports.iter().for_each(|(_, report)| sum.add(report));
        sum.missing_parts += self.recordings.iter().map(|recording| recording.missing_parts()).sum::<u64>();
        sum
    }

    fn take(&mut self, number: u32) -> Option<(u32, Event)> {
        let ahead = self.ahead.get_mut(number as usize)?;
        let event = ahead.events.get(ahead.at).copied();
        ahead.at += 1;
        event
    }

    /// Makes sure that the recording is in `next`, unless it is at its end.
    fn read_ahead(&mut self, number: u32) -> Result<(), Error> {
        let index = number as usize;
        let (Some(recording), Some(ahead)) = (self.recordings.get_mut(index), self.ahead.get_mut(index)) else {
            return Ok(());
        };
        if ahead.at == ahead.events.len() {
            ahead.events.clear();
            ahead.at = 0;
            recording.read(self.batch, number, &mut ahead.events, &mut self.reports)?;
            self.open.retain(|open| *open != number);
            self.open.push_back(number);
        }
        if let Some((_, event)) = ahead.events.get(ahead.at) {
            let unix_ns = i128::from(event.stamp().time_ns) + i128::from(recording.capture().boot_unix_ns);
            self.next.push(Reverse((unix_ns, number)));
        }
        if self.open.len() > self.max_open
            && let Some(oldest) = self.open.pop_front()
            && let Some(recording) = self.recordings.get_mut(oldest as usize)
        {
            recording.park();
        }
        Ok(())
    }
}

/// Files to read that are open at once at most. Each takes up to 2 MiB; the process needs some files for other things.
pub fn max_open() -> usize {
    let files = getrlimit(Resource::RLIMIT_NOFILE).map_or(256, |(files, _)| files);
    usize::try_from(files).unwrap_or(usize::MAX).saturating_sub(64).clamp(16, MAX_OPEN)
}

fn order(capture: &Capture) -> (&str, i64, u64) {
    (&capture.node, capture.boot_unix_ns, capture.session)
}
