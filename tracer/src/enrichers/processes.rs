//! Which processes are in which network namespace: looked up for all of them rarely, for new ones more often.

use std::collections::BTreeSet;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::Host;
use super::cgroup::{self, CgroupOwner};

/// All processes are looked at no more often.
pub(super) const SCAN_NS: u64 = 1_000_000_000;
/// New ones are looked for no more often.
const LOOK_NS: u64 = 100_000_000;
/// Processes that are remembered; more than a node has.
const MAX_PROCESSES: usize = 65_536;
/// Processes of one namespace that are asked.
const MAX_PROCESSES_PER_NETNS: usize = 256;

/// A process, distinguished from a later one with the same number by its start time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RunningProcess {
    pub(super) started_ns: u64,
    pub(super) number: u32,
}

impl RunningProcess {
    /// Whether it still lives, in the same namespace.
    pub(super) fn is_in(&self, host: &Host, netns: u32) -> bool {
        host.netns(self.number) == Some(netns) && host.started_ns(self.number) == Some(self.started_ns)
    }
}

/// What the processes of a namespace say.
#[derive(Debug, Default)]
pub(super) struct NetnsProcesses {
    /// The one that has been there longest, as far as is known, and where it is.
    pub(super) oldest: Option<(RunningProcess, Option<CgroupOwner>)>,
    /// All places that they are in.
    pub(super) places: BTreeSet<CgroupOwner>,
}

impl NetnsProcesses {
    /// The place that the namespace was made for: the oldest process is there, and no other is elsewhere. A process that is in
    /// no pod or container, such as a tool that has entered the namespace, does not count; but of the host's own namespace
    /// it is the oldest.
    pub(super) fn place(&self) -> Option<&CgroupOwner> {
        let (_, place) = self.oldest.as_ref()?;
        place.as_ref().filter(|_| self.places.len() == 1)
    }
}

#[derive(Debug, Default)]
pub(super) struct Processes {
    netns: HashMap<u32, u32, RandomState>,
    scanned_ns: Option<u64>,
    looked_ns: Option<u64>,
}

impl Processes {
    /// Looks at all processes, unless that was done just now.
    pub(super) fn scan(&mut self, host: &Host, now_ns: u64) {
        if is_due(self.scanned_ns, now_ns, SCAN_NS) {
            (self.scanned_ns, self.looked_ns) = (Some(now_ns), Some(now_ns));
            self.netns.clear();
            self.read(host);
        }
    }

    /// Looks at those that were not there before, unless that was done just now.
    pub(super) fn look(&mut self, host: &Host, now_ns: u64) {
        if is_due(self.looked_ns, now_ns, LOOK_NS) {
            self.looked_ns = Some(now_ns);
            self.read(host);
        }
    }

    /// Whether all were looked at since.
    pub(super) fn is_scanned_since(&self, time_ns: u64) -> bool {
        self.scanned_ns.is_some_and(|scanned_ns| scanned_ns >= time_ns)
    }

    /// Whether new ones were looked for at this time.
    pub(super) fn is_looked_at(&self, time_ns: u64) -> bool {
        self.looked_ns == Some(time_ns)
    }

    /// Whether one that is known is in this namespace now.
    pub(super) fn is_any_in(&self, host: &Host, netns: u32) -> bool {
        self.numbers(netns).any(|number| host.netns(number) == Some(netns))
    }

    /// Asks the processes of a namespace.
    pub(super) fn inside(&self, host: &Host, netns: u32) -> NetnsProcesses {
        let mut numbers: Vec<u32> = self.numbers(netns).collect();
        numbers.sort_unstable();
        let mut inside = NetnsProcesses::default();
        for number in numbers.into_iter().take(MAX_PROCESSES_PER_NETNS) {
            let Some(started_ns) = host.started_ns(number).filter(|_| host.netns(number) == Some(netns)) else {
                continue;
            };
            let process = RunningProcess { started_ns, number };
            let is_system = |hierarchy: &str, path: &str| host.is_system_cgroup(hierarchy, path);
            let place = host.cgroup(number).and_then(|text| cgroup::place(&text, is_system));
            inside.places.extend(place.clone());
            if inside.oldest.as_ref().is_none_or(|(oldest, _)| process < *oldest) {
                inside.oldest = Some((process, place));
            }
        }
        inside
    }

    /// Those that are in this namespace, as far as is known.
    pub(super) fn numbers(&self, netns: u32) -> impl Iterator<Item = u32> {
        self.netns.iter().filter(move |(_, other)| **other == netns).map(|(&number, _)| number)
    }

    fn read(&mut self, host: &Host) {
        let before = std::mem::take(&mut self.netns);
        let of = |number| before.get(&number).copied().or_else(|| host.netns(number)).map(|netns| (number, netns));
        self.netns = host.processes().take(MAX_PROCESSES).filter_map(of).collect();
    }
}

fn is_due(last_ns: Option<u64>, now_ns: u64, every_ns: u64) -> bool {
    last_ns.is_none_or(|last_ns| now_ns.saturating_sub(last_ns) >= every_ns)
}
