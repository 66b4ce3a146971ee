//! With `--netns`: whose sockets count. Sockets of every namespace report their SYNs. Those of a watched namespace count, those of a
//! namespace behind it, whose way to the outside is an interface that leads into it (as of pods), and those whose SYN a watched namespace
//! has seen: their own namespace may be gone. What other namespaces do is none of its business.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::libc::{RTM_GETNSID, RTM_NEWNSID};
use tracer_common::Event;

use super::links;
use super::routes;
use crate::netlink::{Connection, attribute, find, number};
use crate::netns::Netns;

/// Bytes before the attributes (`rtgenmsg` as padded).
const ID_HEADER: usize = 4;
const NETNSA_NSID: u16 = 1;
const NETNSA_FD: u16 = 3;
/// How long an answer holds: the number of a namespace that is gone is soon another's.
const ANSWER_HOLDS: Duration = Duration::from_secs(5);
/// Namespaces are looked for this often.
const LIST_HOLDS: Duration = Duration::from_secs(1);
/// Answers kept; beyond that all are asked for again.
const MAX_ANSWERS: usize = 65_536;
/// SYNs that are remembered, by ISN.
const SEEN_SYNS: usize = 65_536;

/// An interface, by the inode number of its namespace and its index.
type Link = (u32, u32);

/// The watched namespaces, and what is known of others, by inode number.
pub(super) struct Neighbours {
    watched: Vec<(u32, Netns)>,
    /// The interface of a watched namespace by which another one leads to the outside, if it does.
    answers: HashMap<u32, (Instant, Option<Link>)>,
    paths: HashMap<u32, PathBuf>,
    listed: Option<Instant>,
    /// The ISN that a watched namespace saw last, in each slot.
    seen: Vec<u32>,
}

impl Neighbours {
    /// Of these namespaces.
    pub(super) fn new(paths: &[PathBuf]) -> anyhow::Result<Self> {
        let watch = |path: &PathBuf| {
            let netns = Netns::open(path)?;
            Ok((netns.inum()?, netns))
        };
        let watched = paths.iter().map(watch).collect::<anyhow::Result<_>>()?;
        // At first no slot has an ISN that belongs into it.
        let seen = (0..SEEN_SYNS).map(|slot| u32::from(slot == 0)).collect();
        let (answers, paths) = (HashMap::new(), HashMap::new());
        Ok(Self { watched, answers, paths, listed: None, seen })
    }

    /// These interfaces are gone, and what they led to.
    pub(super) fn forget(&mut self, gone: &BTreeSet<Link>) {
        if !gone.is_empty() {
            self.answers.retain(|_, (_, link)| link.is_none_or(|link| !gone.contains(&link)));
        }
    }

    /// Whether the event counts.
    pub(super) fn wants(&mut self, event: &Event) -> bool {
        let isn = match event {
            Event::SynRetransmit(event) => return self.is_near(event.stamp.netns, [event.isn; 2]),
            Event::Process(event) => return self.is_near(event.stamp.netns, [event.isn; 2]),
            // The ISN, or one more.
            Event::SockState(event) => return self.is_near(event.stamp.netns, [event.isn, event.isn.wrapping_sub(1)]),
            // These come from watched namespaces only.
            Event::Wire(event) => event.isn,
            Event::NatBind(event) => event.isn,
            // These may come from any other namespace, too.
            Event::CtDrop(event) if !self.is_watched(event.stamp.netns) => return self.is_behind(event.stamp.netns),
            Event::CtDrop(event) => event.isn,
            Event::NatSelect(_)
            | Event::Lost(_)
            | Event::Tick(_)
            | Event::CtTable(_)
            | Event::Owner(_)
            | Event::Uplink(_)
            | Event::Address(_) => return true,
        };
        self.seen[isn as usize % SEEN_SYNS] = isn;
        true
    }

    fn is_watched(&self, netns: u32) -> bool {
        netns == 0 || self.watched.iter().any(|(watched, _)| *watched == netns)
    }

    fn is_near(&mut self, netns: u32, isns: [u32; 2]) -> bool {
        self.is_watched(netns)
            || isns.iter().any(|isn| self.seen[*isn as usize % SEEN_SYNS] == *isn)
            || self.is_behind(netns)
    }

    /// Whether this namespace leads to the outside by a watched one; not known of one that is gone.
    fn is_behind(&mut self, netns: u32) -> bool {
        if let Some((when, link)) = self.answers.get(&netns)
            && when.elapsed() < ANSWER_HOLDS
        {
            return link.is_some();
        }
        if self.answers.len() >= MAX_ANSWERS {
            self.answers.clear();
        }
        let answer = self.look_at(netns);
        self.answers.insert(netns, (Instant::now(), answer));
        answer.is_some()
    }

    fn list(&mut self) {
        (self.paths, self.listed) = (list(), Some(Instant::now()));
    }

    fn open(&self, netns: u32) -> Option<Netns> {
        let namespace = Netns::open(self.paths.get(&netns)?).ok()?;
        (namespace.inum().ok()? == netns).then_some(namespace)
    }

    /// The interface of a watched namespace by which it leads to the outside.
    fn look_at(&mut self, netns: u32) -> Option<Link> {
        if self.listed.is_none_or(|when| when.elapsed() >= LIST_HOLDS) {
            self.list();
        }
        // The process that a path names may be gone, and another one in the namespace.
        let namespace = self.open(netns).or_else(|| {
            self.list();
            self.open(netns)
        })?;
        let watched: Vec<_> = self.watched.iter().map(|(inum, namespace)| (*inum, namespace.as_raw_fd())).collect();
        let look = || {
            let connection = Connection::open()?;
            let links = links::all(&connection)?;
            let outside = routes::read(&connection, &links::vrfs(&links))?.outside;
            for (inum, fd) in watched {
                let Some(id) = id_of(&connection, fd)? else { continue };
                let mut there =
                    links.values().filter(|link| link.link_netns == Some(id) && outside.contains(&link.index));
                if let Some(index) = there.find_map(|link| link.link) {
                    return Ok(Some((inum, index)));
                }
            }
            Ok(None)
        };
        namespace.run(look).ok()?
    }
}

/// The number that the namespace of this thread gives to another one.
fn id_of(connection: &Connection, fd: i32) -> anyhow::Result<Option<u32>> {
    let body = [vec![0; ID_HEADER], attribute(NETNSA_FD, &fd.to_ne_bytes())].concat();
    let mut found = None;
    connection.ask(RTM_GETNSID, &body, |kind, body| {
        if kind == RTM_NEWNSID {
            found = body.get(ID_HEADER..).and_then(|body| find(body, NETNSA_NSID)).and_then(number);
        }
    })?;
    // -1: it has no number here, so no interface leads there.
    Ok(found.filter(|&id| id != u32::MAX))
}

/// Paths of the namespaces of processes, and of those that `ip netns` keeps, by inode number.
fn list() -> HashMap<u32, PathBuf> {
    let entries = |path: &str| fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_process = |path: &PathBuf| path.file_name().is_some_and(|name| name.as_encoded_bytes()[0].is_ascii_digit());
    let of_processes = entries("/proc").filter(is_process).map(|path| path.join("ns/net"));
    let numbered = |path: PathBuf| fs::metadata(&path).ok().map(|meta| (meta.ino() as u32, path));
    of_processes.chain(entries("/run/netns")).filter_map(numbered).collect()
}

#[cfg(test)]
mod tests {
    use bytemuck::Zeroable;
    use tracer_common::events::{SockState, Wire};

    use super::*;

    #[test]
    fn the_namespace_of_this_process_is_listed() {
        let own = Netns::own().unwrap().inum().unwrap();
        assert!(list().contains_key(&own));
    }

    #[test]
    fn a_namespace_that_is_gone_counts_where_its_syn_was_seen() {
        let mut neighbours = Neighbours::new(&["/proc/self/ns/net".into()]).unwrap();
        let own = Netns::own().unwrap().inum().unwrap();
        let mut wire: Wire = Zeroable::zeroed();
        wire.isn = 0x1234_5678;
        assert!(neighbours.wants(&wire.into()));
        let mut socket: SockState = Zeroable::zeroed();
        for (netns, isn, counts) in
            [(own, 0, true), (0, 0, true), (1, 0, false), (1, 1, false), (1, 0x1234_5678, true), (1, 0x1234_5679, true)]
        {
            (socket.stamp.netns, socket.isn) = (netns, isn);
            assert_eq!(neighbours.wants(&socket.into()), counts, "{netns} {isn:x}");
        }
    }
}
