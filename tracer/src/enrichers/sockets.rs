//! Which process has a socket open, by the links `/proc/PID/fd/N` of the processes in the socket's namespace.
//!
//! A pass over them remembers every socket that it sees, so one pass answers for many sockets, also for those that retransmit
//! later. A pass takes a bounded time, and so do all of them together.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use tracer_common::Event;
use tracer_common::events::{COMMAND_BYTES, Process};

use super::Host;
use super::processes::Processes;

/// A pass ends after this long; the next one goes on with the other processes.
const MAX_PASS: Duration = Duration::from_millis(20);
/// The next pass begins after so many times as long: at most 2 % of one CPU.
const PAUSE_FACTOR: u32 = 50;
/// Links that are read between two looks at the clock.
const LINKS_PER_LOOK: usize = 64;
/// Sockets that are remembered, and at most one pass more.
const MAX_SOCKETS: usize = 32_768;
/// Sockets are remembered no longer: their numbers come again after 2^32 files.
const KEPT: Duration = Duration::from_mins(10);
/// Processes whose sockets were asked for, which are looked at first.
const MAX_FOUND: usize = 64;

/// The sockets of processes that were looked at.
#[derive(Debug)]
pub(super) struct Sockets {
    known: HashMap<u32, Holder, RandomState>,
    known_since: Instant,
    found: BTreeSet<u32>,
    /// Processes from this number on were looked at in earlier passes of this round.
    before: u32,
    next_pass: Instant,
    /// The last pass did not find all that it looked for: a process may have entered the namespace.
    has_missed: bool,
    /// Reused: namespaces of sockets that are not known.
    unknown: Vec<u32>,
}

/// A process that has a socket open.
#[derive(Clone, Copy, Debug)]
struct Holder {
    pid: u32,
    command: [u8; COMMAND_BYTES],
    is_reported: bool,
}

impl Default for Sockets {
    fn default() -> Self {
        let now = Instant::now();
        Self {
            known: HashMap::default(),
            known_since: now,
            found: BTreeSet::new(),
            before: u32::MAX,
            next_pass: now,
            has_missed: false,
            unknown: Vec::new(),
        }
    }
}

impl Sockets {
    /// Fills in the `process` events of a batch, once for each socket; drops those for which there is no answer.
    pub(super) fn fill_in(
        &mut self,
        batch: &mut Vec<(u32, Event)>,
        host: &Host,
        processes: &mut Processes,
        now_ns: u64,
    ) {
        let mut has_some = false;
        for (_, event) in batch.iter() {
            if let Event::Process(process) = event {
                has_some = true;
                if !self.known.contains_key(&process.socket) {
                    self.unknown.push(process.stamp.netns);
                }
            }
        }
        if !has_some {
            return;
        }
        self.pass(host, processes, now_ns);
        self.unknown.clear();
        self.has_missed = false;
        batch.retain_mut(|(_, event)| {
            let Event::Process(process) = event else { return true };
            self.answer(process)
        });
    }

    fn answer(&mut self, event: &mut Process) -> bool {
        let Some(holder) = self.known.get_mut(&event.socket) else {
            self.has_missed = true;
            return false;
        };
        (event.pid, event.command) = (holder.pid, holder.command);
        if self.found.len() >= MAX_FOUND {
            self.found.clear();
        }
        self.found.insert(holder.pid);
        !std::mem::replace(&mut holder.is_reported, true)
    }

    /// Looks at the processes of namespaces with sockets that are not known.
    fn pass(&mut self, host: &Host, processes: &mut Processes, now_ns: u64) {
        let begun = Instant::now();
        if self.unknown.is_empty() || begun < self.next_pass {
            return;
        }
        if self.known.len() >= MAX_SOCKETS || begun.duration_since(self.known_since) >= KEPT {
            self.known.clear();
            self.known_since = begun;
        }
        if self.has_missed {
            processes.scan(host, now_ns);
        } else {
            processes.look(host, now_ns);
        }
        self.unknown.sort_unstable();
        self.unknown.dedup();
        let mut numbers: Vec<u32> = self.unknown.iter().flat_map(|&netns| processes.numbers(netns)).collect();
        // The newest first: they are likely to be the ones that connect.
        numbers.sort_unstable_by_key(|&pid| (!self.found.contains(&pid), pid >= self.before, Reverse(pid)));
        self.before = u32::MAX;
        for pid in numbers {
            if begun.elapsed() >= MAX_PASS {
                self.before = pid.saturating_add(1);
                break;
            }
            self.look_at(host, pid, begun + MAX_PASS);
        }
        self.next_pass = Instant::now() + begun.elapsed() * PAUSE_FACTOR;
    }

    fn look_at(&mut self, host: &Host, pid: u32, until: Instant) {
        let mut command = None;
        for (count, socket) in host.sockets(pid).enumerate() {
            if count % LINKS_PER_LOOK == LINKS_PER_LOOK - 1 && Instant::now() >= until {
                return;
            }
            let Some(socket) = socket else { continue };
            // Of several processes the lowest number is reported, unless another one was already.
            if self.known.get(&socket).is_some_and(|holder| holder.is_reported || holder.pid <= pid) {
                continue;
            }
            if let Some(command) = *command.get_or_insert_with(|| host.command(pid)) {
                self.known.insert(socket, Holder { pid, command, is_reported: false });
            }
        }
    }
}
