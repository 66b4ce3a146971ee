//! How attempts of one client to one destination leave: a conntrack entry that is older than a rule or a route keeps an attempt on a
//! path that later attempts no longer take.

use std::hash::Hasher;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use tracer_common::Flow;

use super::hash::{hasher, write_addr};
use super::interfaces::{Interfaces, NO_INTERFACE};
use crate::model::LaterPath;

/// Buckets of clients, by hash of source address and destination.
const BUCKETS: usize = 512;
/// Clients of a bucket at most: the one that was silent the longest is replaced. It is evidence only, so that is not counted.
const MAX_BUCKET_LEN: usize = 8;
/// Paths of all clients whose first attempt is remembered at most: the one in the same place is replaced.
const FIRSTS: u64 = 4096;
/// Paths of a client to a destination that are distinguished.
const MAX_PATHS: usize = 4;

/// When the first attempt of a client by a path began, and the newest one that was answered, by hash: also before the client is followed.
#[derive(Clone, Copy, Debug, Default)]
struct First {
    hash: u64,
    began_ns: u64,
    answered_ns: Option<u64>,
}

/// How a SYN left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SynPath {
    /// After NAT; its source port is 0. `None` for a SYN that no watched interface saw
    translated: Option<Flow>,
    interface: u16,
}

impl SynPath {
    pub(super) fn new(translated: &Flow, interface: u16) -> Self {
        Self { translated: Some(Flow { src_port: 0, ..*translated }), interface }
    }

    /// By no watched interface.
    pub(super) const fn unseen() -> Self {
        Self { translated: None, interface: NO_INTERFACE }
    }
}

#[derive(Clone, Copy, Debug)]
struct TakenPath {
    path: SynPath,
    /// Source port before NAT of the newest attempt that did not repeat the one before it
    port: u16,
    /// When that attempt began
    newest_ns: u64,
    /// How many attempts of the client were noted up to that one
    noted: u32,
    /// How many took this path
    count: u32,
    /// When the newest answered one began
    answered_ns: Option<u64>,
}

#[derive(Debug)]
struct Record {
    /// Source address and destination before NAT; the source port is 0
    client: Flow,
    noted: u32,
    paths: Vec<TakenPath>,
}

impl Record {
    /// When its newest attempt began.
    fn newest_ns(&self) -> u64 {
        self.paths.iter().map(|taken| taken.newest_ns).max().unwrap_or_default()
    }
}

#[derive(Debug, Default)]
pub(super) struct Paths {
    /// Empty until the first attempt with retransmits.
    buckets: Vec<Vec<Record>>,
    /// By place: a map, since there may be thousands of nodes, most of them with few clients.
    firsts: HashMap<u16, First, FixedState>,
}

impl Paths {
    /// Begins to note the paths of this client to this destination.
    pub(super) fn follow(&mut self, original: &Flow) {
        if self.buckets.is_empty() {
            self.buckets.resize_with(BUCKETS, Vec::new);
        }
        let client = client(original);
        let records = &mut self.buckets[bucket(&client)];
        if records.iter().any(|record| record.client == client) {
            return;
        }
        if records.len() < MAX_BUCKET_LEN {
            records.push(Record { client, noted: 0, paths: Vec::with_capacity(MAX_PATHS) });
        } else if let Some(record) = records.iter_mut().min_by_key(|record| record.newest_ns()) {
            // Its memory is used again.
            (record.client, record.noted) = (client, 0);
            record.paths.clear();
        }
    }

    /// Whether there was no attempt with retransmits yet.
    pub(super) const fn is_empty(&self) -> bool {
        self.buckets.is_empty()
    }

    fn record_mut(&mut self, original: &Flow) -> Option<&mut Record> {
        if self.buckets.is_empty() {
            return None;
        }
        let client = client(original);
        self.buckets[bucket(&client)].iter_mut().find(|record| record.client == client)
    }

    /// An attempt of any client began at this time and left by this path.
    #[inline]
    pub(super) fn began(&mut self, original: &Flow, path: SynPath, began_ns: u64, is_answered: bool) {
        let hash = hash_of(&client(original), path);
        let first = self.firsts.entry(first_place(hash)).or_default();
        if first.hash != hash {
            *first = First { hash, began_ns, answered_ns: None };
        }
        first.began_ns = first.began_ns.min(began_ns);
        first.answered_ns = first.answered_ns.max(is_answered.then_some(began_ns));
    }

    fn first(&self, client: &Flow, path: SynPath) -> Option<&First> {
        let hash = hash_of(client, path);
        self.firsts.get(&first_place(hash)).filter(|first| first.hash == hash)
    }

    /// Whether an attempt of this client that began at `since_ns` or later left by this path and was answered.
    pub(super) fn is_answered(&self, original: &Flow, path: SynPath, since_ns: u64) -> bool {
        self.first(&client(original), path).and_then(|first| first.answered_ns) >= Some(since_ns)
    }

    /// An attempt that began at `first_ns` left by this path.
    pub(super) fn took(&mut self, original: &Flow, path: SynPath, first_ns: u64) {
        let Some(record) = self.record_mut(original) else { return };
        let port = original.src_port;
        let taken = record.paths.iter_mut().find(|taken| taken.path == path);
        // The same port again follows the entry that is there: no rule or route was asked.
        if taken.as_ref().is_some_and(|taken| taken.port == port) {
            return;
        }
        record.noted = record.noted.saturating_add(1);
        let noted = record.noted;
        if let Some(taken) = taken {
            (taken.port, taken.newest_ns, taken.noted) = (port, taken.newest_ns.max(first_ns), noted);
            taken.count = taken.count.saturating_add(1);
            return;
        }
        let taken = TakenPath { path, port, newest_ns: first_ns, noted, count: 1, answered_ns: None };
        if record.paths.len() < MAX_PATHS {
            record.paths.push(taken);
        } else if let Some(oldest) = record.paths.iter_mut().min_by_key(|taken| taken.noted) {
            *oldest = taken;
        }
    }

    /// An attempt that began at `first_ns` and left by this path was answered.
    pub(super) fn answered(&mut self, original: &Flow, path: SynPath, first_ns: u64) {
        let Some(record) = self.record_mut(original) else { return };
        if let Some(taken) = record.paths.iter_mut().find(|taken| taken.path == path) {
            taken.answered_ns = taken.answered_ns.max(Some(first_ns));
        }
    }

    /// How attempts left that came after the one that began at `first_ns` and leaves by this path.
    pub(super) fn later(
        &self,
        original: &Flow,
        path: SynPath,
        first_ns: u64,
        interfaces: &Interfaces,
    ) -> Option<LaterPath> {
        let client = client(original);
        let record = self.buckets.get(bucket(&client))?.iter().find(|record| record.client == client)?;
        let newest_own = record.paths.iter().find(|taken| taken.path == path);
        let (own, own_ns) = newest_own.map_or((0, first_ns), |taken| (taken.noted, taken.newest_ns));
        let others = || {
            record.paths.iter().filter(|taken| taken.path != path && taken.noted > own && taken.newest_ns > first_ns)
        };
        let newest = others().max_by_key(|taken| taken.noted)?;
        let has_begun = |path| self.first(&client, path).is_some_and(|first| first.began_ns < own_ns);
        let own_answered_ns = self.first(&client, path).and_then(|first| first.answered_ns);
        Some(LaterPath {
            attempts: others().fold(0u32, |sum, taken| sum.saturating_add(taken.count)).min(record.noted - own),
            paths: u32::try_from(others().count()).unwrap_or(u32::MAX),
            translated: newest.path.translated,
            interface: interfaces.name(newest.path.interface),
            is_answered: newest.answered_ns.is_some_and(|answered_ns| answered_ns > first_ns),
            is_concurrent: own_answered_ns > Some(first_ns) || others().any(|taken| has_begun(taken.path)),
            own_is_answered: own_answered_ns.is_some(),
        })
    }
}

fn client(original: &Flow) -> Flow {
    Flow { src_port: 0, ..*original }
}

const fn first_place(hash: u64) -> u16 {
    (hash % FIRSTS) as u16
}

/// Never 0, which is an empty place.
fn hash_of(client: &Flow, path: SynPath) -> u64 {
    let mut hasher = hasher();
    write(&mut hasher, client);
    write(&mut hasher, &path.translated.unwrap_or_default());
    hasher.write_u16(path.interface);
    hasher.finish() | 1
}

fn bucket(client: &Flow) -> usize {
    let mut hasher = hasher();
    write(&mut hasher, client);
    hasher.finish() as usize % BUCKETS
}

/// All but the source port.
fn write(hasher: &mut impl Hasher, flow: &Flow) {
    write_addr(hasher, flow.src);
    write_addr(hasher, flow.dst);
    hasher.write_u16(flow.dst_port);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(destination: u32) -> Flow {
        Flow { dst: u128::from(destination).to_be_bytes(), dst_port: 443, ..Flow::default() }
    }

    #[test]
    fn a_thousand_clients_are_kept_and_of_too_many_the_newest() {
        let mut paths = Paths::default();
        for destination in 0..1000 {
            paths.follow(&flow(destination));
            paths.took(&flow(destination), SynPath::unseen(), u64::from(destination) + 1);
        }
        assert!((0..1000).all(|destination| paths.record_mut(&flow(destination)).is_some()));
        for destination in 1000..20_000 {
            paths.follow(&flow(destination));
            paths.took(&flow(destination), SynPath::unseen(), u64::from(destination) + 1);
        }
        assert!((19_900..20_000).all(|destination| paths.record_mut(&flow(destination)).is_some()));
        assert!(paths.record_mut(&flow(0)).is_none());
    }
}
