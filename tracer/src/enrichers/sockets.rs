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
const KEEP_FOR: Duration = Duration::from_mins(10);
/// Processes whose sockets were asked for.
const MAX_FOUND: usize = 64;

/// The sockets of processes that were looked at.
#[derive(Debug)]
pub(super) struct Sockets {
    known: HashMap<u32, Holder, RandomState>,
    known_since: Instant,
    found: BTreeSet<u32>,
    /// Where the last pass ended, which came to smaller and smaller numbers.
    before: u32,
    next_pass: Instant,
    max_pass: Duration,
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
            max_pass: MAX_PASS,
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
        (event.pid, event.command, event.socket) = (holder.pid, holder.command, 0);
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
        if self.known.len() >= MAX_SOCKETS || begun.duration_since(self.known_since) >= KEEP_FOR {
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
        // A round begins with those that were asked for before, then come the newest: they are likely to be the ones that connect.
        let is_likely = |pid: &u32| self.before == u32::MAX && self.found.contains(pid);
        numbers.sort_unstable_by_key(|pid| (!is_likely(pid), *pid >= self.before, Reverse(*pid)));
        self.before = u32::MAX;
        let until = Instant::now() + self.max_pass;
        for pid in numbers {
            self.look_at(host, pid, until);
            if Instant::now() >= until {
                self.before = pid;
                break;
            }
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::Path;

    use bytemuck::Zeroable as _;
    use tempfile::TempDir;
    use tracer_common::events::{Stamp, Tick};

    use super::*;
    use crate::enrichers::tests::begin;

    const S: u64 = 1_000_000_000;
    const NETNS: u32 = 4_026_532_300;

    /// A node with these processes: number, namespace, socket, name.
    fn node(processes: &[(u32, u32, u32, &[u8])]) -> TempDir {
        let root = TempDir::new().unwrap();
        processes.iter().for_each(|process| add(root.path(), process));
        root
    }

    fn add(root: &Path, &(pid, netns, socket, name): &(u32, u32, u32, &[u8])) {
        begin(root, pid, 0, netns, "/");
        let directory = root.join(format!("proc/{pid}"));
        fs::write(directory.join("comm"), [name, b"\n"].concat()).unwrap();
        fs::create_dir(directory.join("fd")).unwrap();
        for (fd, to) in
            ["/dev/null".to_owned(), "pipe:[77]".to_owned(), format!("socket:[{socket}]")].iter().enumerate()
        {
            symlink(to, directory.join(format!("fd/{fd}"))).unwrap();
        }
    }

    /// Number and name of the processes of these sockets, as far as they are reported, with this much between two batches.
    fn ask(sockets: &mut Sockets, root: &TempDir, time_ns: u64, asked: &[u32]) -> Vec<(u32, u32, Vec<u8>)> {
        let stamp = Stamp { time_ns, kind: Process::KIND, netns: NETNS };
        let event = |&socket: &u32| Event::from(Process { stamp, socket, isn: socket, ..Process::zeroed() });
        let mut batch: Vec<(u32, Event)> = asked.iter().map(event).map(|event| (0, event)).collect();
        batch.push((0, Tick { stamp: Stamp { kind: Tick::KIND, ..stamp } }.into()));
        sockets.next_pass = Instant::now();
        sockets.fill_in(&mut batch, &Host::new(root.path()), &mut Processes::default(), time_ns);
        assert!(matches!(batch.pop(), Some((0, Event::Tick(_)))), "other events stay");
        let answer = |(_, event)| {
            let Event::Process(process) = event else { return None };
            assert_eq!(process.socket, 0);
            Some((process.isn, process.pid, process.command.iter().copied().take_while(|&byte| byte > 0).collect()))
        };
        batch.into_iter().filter_map(answer).collect()
    }

    #[test]
    fn a_socket_is_named_once_by_the_lowest_process_that_has_it_in_its_namespace() {
        let all: [(_, _, _, &[u8]); 4] = [
            (70, NETNS, 5, b"\xffchild\n"),
            (7, NETNS, 5, b"parent"),
            (3, NETNS + 1, 5, b"x"),
            (9, NETNS, 6, b"other"),
        ];
        let (root, mut sockets) = (node(&all), Sockets::default());
        assert_eq!(ask(&mut sockets, &root, 10 * S, &[5]), [(5, 7, b"parent".to_vec())]);
        assert_eq!(ask(&mut sockets, &root, 11 * S, &[5, 6]), [(6, 9, b"other".to_vec())]);
        assert_eq!(ask(&mut sockets, &root, 12 * S, &[5, 6]), []);
        let (root, mut sockets) = (node(&all[..1]), Sockets::default());
        assert_eq!(ask(&mut sockets, &root, 10 * S, &[5]), [(5, 70, b"\xffchild\n".to_vec())]);
    }

    #[test]
    fn a_process_that_has_ended_or_closed_the_socket_is_unknown_and_one_that_comes_is_found() {
        let (root, mut sockets) = (node(&[(7, NETNS, 5, b"curl")]), Sockets::default());
        assert_eq!(ask(&mut sockets, &root, 10 * S, &[8]), []);
        fs::remove_dir_all(root.path().join("proc/7")).unwrap();
        assert_eq!(ask(&mut sockets, &root, 11 * S, &[8]), []);
        add(root.path(), &(9, NETNS, 8, b"wget"));
        assert_eq!(ask(&mut sockets, &root, 12 * S, &[8]), [(8, 9, b"wget".to_vec())]);
    }

    #[test]
    fn one_look_answers_for_sockets_that_retransmit_later() {
        let (root, mut sockets) = (node(&[(7, NETNS, 5, b"curl"), (8, NETNS, 6, b"wget")]), Sockets::default());
        assert_eq!(ask(&mut sockets, &root, 10 * S, &[5]).len(), 1);
        fs::remove_dir_all(root.path().join("proc")).unwrap();
        assert_eq!(ask(&mut sockets, &root, 11 * S, &[6]), [(6, 8, b"wget".to_vec())]);
    }

    #[test]
    fn a_pass_that_took_its_time_goes_on_with_the_others_later() {
        let all = [1, 2, 3, 4].map(|pid| (pid, NETNS, pid + 10, b"x".as_slice()));
        let (root, mut sockets) = (node(&all), Sockets { max_pass: Duration::ZERO, ..Sockets::default() });
        let mut names = |second| ask(&mut sockets, &root, second * S, &[11, 13]).first().map(|(_, pid, _)| *pid);
        assert_eq!([10, 11, 12, 13].map(&mut names), [None, Some(3), None, Some(1)]);
    }
}
