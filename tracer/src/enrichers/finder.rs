//! Remembers who namespaces belong to, notices when that changes, and reports it as events.
//!
//! The kernel gives the number of a namespace that is gone to the next one, so an answer is trusted only while a process that
//! was there when it was found still is: that is looked at once a second at most, and only while there are events.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use tracer_common::Event;

use super::processes::{Processes, RunningProcess, SCAN_NS};
use super::sockets::Sockets;
use super::{ALL, Found, Host};
use crate::model::Owner;

/// An answer is checked no more often.
const CHECK_NS: u64 = 1_000_000_000;
/// An owner is looked up again after this long: another container may have joined the namespace.
const REFRESH_NS: u64 = 30_000_000_000;
/// A namespace without a known owner is looked up again after a second, then after twice as long each time, up to this.
const MAX_RETRY_NS: u64 = 8_000_000_000;
/// Processes that are tried before it is said that none can be read.
const MAX_PROBED_PROCESSES: usize = 64;
/// Namespaces that are remembered.
const MAX_NAMESPACES: usize = 4096;
/// Namespaces that are looked up for one batch of events.
const MAX_LOOKUPS_PER_BATCH: usize = 256;

/// Who the namespaces of this node belong to.
#[derive(Debug)]
pub struct Finder {
    host: Host,
    /// Of the host itself, if that can be read: nothing is asked about it.
    own_netns: Option<u32>,
    processes: Processes,
    sockets: Sockets,
    known: HashMap<u32, FoundOwner, RandomState>,
    /// Reused: the namespaces of one batch.
    seen: Vec<u32>,
}

#[derive(Debug)]
struct FoundOwner {
    /// Which process vouches for the answer.
    witness: Option<RunningProcess>,
    owner: Owner,
    watch: Option<(PathBuf, SystemTime)>,
    found_ns: u64,
    /// It was right until here.
    checked_ns: u64,
    /// How long to wait before it is looked up again while it has no known owner.
    retry_ns: u64,
}

impl Finder {
    /// Learns from the files of this host.
    pub fn new(host: Host) -> Self {
        let own_netns = host.netns(1);
        Self {
            host,
            own_netns,
            processes: Processes::default(),
            sockets: Sockets::default(),
            known: HashMap::default(),
            seen: Vec::new(),
        }
    }

    /// Why no owner can be found here, if so: every host has a process of another user that can be examined.
    pub fn off(&self) -> Option<String> {
        let mut others =
            self.host.processes().filter(|&process| process != std::process::id()).take(MAX_PROBED_PROCESSES);
        let is_off = !others.any(|process| self.host.netns(process).is_some());
        is_off.then(|| {
            format!(
                "{} of other processes cannot be read: pods, containers and processes are unknown; run as root or with CAP_SYS_PTRACE, and in \
                 a container name the host's root with --host-root",
                self.host.path(Path::new("proc/PID/ns/net")).display()
            )
        })
    }

    /// Puts what is new about the namespaces of sockets in a batch before its events, and names the processes of sockets.
    pub fn enrich(&mut self, batch: &mut Vec<(u32, Event)>) {
        let (Some((_, first)), Some((_, last))) = (batch.first(), batch.last()) else { return };
        let (first_ns, now_ns) = (first.stamp().time_ns, last.stamp().time_ns);
        self.see(batch);
        let mut owners = Vec::new();
        self.notice(now_ns, &mut |netns, since_ns, owner| {
            owners.extend(owner.events(first_ns, netns, since_ns).map(|event| (0, Event::from(event))));
        });
        batch.splice(..0, owners);
        self.sockets.fill_in(batch, &self.host, &mut self.processes, now_ns);
    }

    /// The namespaces of sockets; those of NAT and of interfaces are the node's.
    fn see(&mut self, batch: &[(u32, Event)]) {
        self.seen.clear();
        for (_, event) in batch {
            let netns = event.socket_netns().unwrap_or_default();
            if netns != 0 && self.own_netns != Some(netns) && self.seen.last() != Some(&netns) {
                self.seen.push(netns);
            }
        }
        self.seen.sort_unstable();
        self.seen.dedup();
    }

    fn notice(&mut self, now_ns: u64, report: &mut impl FnMut(u32, u64, &Owner)) {
        let mut due = std::mem::take(&mut self.seen);
        due.retain(|&netns| self.is_due(netns, now_ns));
        due.truncate(MAX_LOOKUPS_PER_BATCH);
        if !due.is_empty() {
            self.look(&due, now_ns);
            for &netns in &due {
                self.find(netns, now_ns, report);
            }
            self.forget();
        }
        self.seen = due;
    }

    /// Whether an answer has to be found; one that only has to be checked is.
    fn is_due(&mut self, netns: u32, now_ns: u64) -> bool {
        let Some(known) = self.known.get_mut(&netns) else { return true };
        let for_ns = if known.owner.is_unknown() { known.retry_ns } else { REFRESH_NS };
        if now_ns.saturating_sub(known.found_ns) >= for_ns {
            return true;
        }
        let Some(witness) = known.witness else { return false };
        if now_ns.saturating_sub(known.checked_ns) < CHECK_NS {
            return false;
        }
        let is_unchanged = known.watch.as_ref().is_none_or(|(path, changed)| self.host.changed(path) == Some(*changed));
        if !is_unchanged || !witness.is_in(&self.host, netns) {
            return true;
        }
        known.checked_ns = now_ns;
        false
    }

    /// Looks at as few processes as will do.
    fn look(&mut self, due: &[u32], now_ns: u64) {
        if !self.processes.is_scanned_since(now_ns.saturating_sub(REFRESH_NS)) {
            self.processes.scan(&self.host, now_ns);
        }
        let is_missing = |finder: &Self| due.iter().any(|&netns| !finder.processes.is_any_in(&finder.host, netns));
        if is_missing(self) {
            self.processes.look(&self.host, now_ns);
        }
        if is_missing(self) {
            self.processes.scan(&self.host, now_ns);
        }
    }

    fn find(&mut self, netns: u32, now_ns: u64, report: &mut impl FnMut(u32, u64, &Owner)) {
        let before = self.known.remove(&netns);
        let (witness, found) = self.ask(netns);
        let (owner, watch) = found.map_or_else(Default::default, |found| (found.owner, found.watch));
        report_change(before.as_ref(), witness, &owner, &mut |since_ns, owner| report(netns, since_ns, owner));
        let was_unknown = before.filter(|before| before.owner.is_unknown() && before.witness == witness);
        let retry_ns = was_unknown.map_or(SCAN_NS, |before| (before.retry_ns * 2).min(MAX_RETRY_NS));
        // Where no owner was found and new processes were not looked for, the next batch tries again.
        if witness.is_some() || self.processes.is_looked_at(now_ns) {
            let known = FoundOwner { witness, owner, watch, found_ns: now_ns, checked_ns: now_ns, retry_ns };
            self.known.insert(netns, known);
        }
    }

    /// Who vouches for the namespace, and the names of what it was made for.
    fn ask(&self, netns: u32) -> (Option<RunningProcess>, Option<Found>) {
        let inside = self.processes.inside(&self.host, netns);
        let found = inside.place().and_then(|place| ALL.iter().find_map(|enricher| enricher(&self.host, place)));
        (inside.oldest.map(|(process, _)| process), found)
    }

    #[cfg(test)]
    pub(super) fn remembered(&self) -> usize {
        self.known.len()
    }

    /// Makes room: whoever was heard of longest ago is asked for again when it shows up.
    fn forget(&mut self) {
        while self.known.len() > MAX_NAMESPACES {
            let oldest = self.known.iter().min_by_key(|(netns, known)| (known.checked_ns, **netns));
            let Some((&netns, _)) = oldest else { return };
            self.known.remove(&netns);
        }
    }
}

/// Reports what is different, and since when: an answer holds from the start of its witness, but not before an earlier answer
/// was right for the last time. In between the owner is unknown.
fn report_change(
    before: Option<&FoundOwner>,
    witness: Option<RunningProcess>,
    owner: &Owner,
    report: &mut impl FnMut(u64, &Owner),
) {
    if before.map_or_else(|| owner.is_unknown(), |before| before.owner == *owner) {
        return;
    }
    let until_ns = before.filter(|before| !before.owner.is_unknown()).map(|before| before.checked_ns);
    let since_ns = witness.map_or(u64::MAX, |witness| witness.started_ns.max(until_ns.unwrap_or(0)));
    if let Some(until_ns) = until_ns.filter(|&until_ns| owner.is_unknown() || since_ns > until_ns) {
        report(until_ns, &Owner::default());
    }
    if !owner.is_unknown() {
        report(since_ns, owner);
    }
}
