//! With `--netns`: whose sockets count. Sockets of every namespace report their SYNs; those of a watched namespace count, and those of
//! a namespace that a pair of interfaces connects to a watched one, as pods are. What other namespaces do is none of its business.

use std::collections::HashMap;
use std::fs;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tracer_common::Event;

use super::netlink::{Connection, attributes, number};
use crate::netns::Netns;

const RTM_GETLINK: u16 = 18;
const RTM_NEWNSID: u16 = 88;
const RTM_GETNSID: u16 = 90;
/// Bytes of the headers before the attributes (`ifinfomsg`, `rtgenmsg` as padded).
const LINK_HEADER: usize = 16;
const ID_HEADER: usize = 4;
/// The namespace of the other end of a pair, by the number that this namespace gives it (linux/if_link.h).
const IFLA_LINK_NETNSID: u16 = 37;
const NETNSA_NSID: u16 = 1;
const NETNSA_FD: u16 = 3;
/// How long an answer holds: the number of a namespace that is gone is soon another's.
const ANSWER_HOLDS: Duration = Duration::from_secs(5);
/// Namespaces are looked for this often.
const LIST_HOLDS: Duration = Duration::from_secs(1);
/// Answers kept; beyond that all are asked for again.
const MAX_ANSWERS: usize = 65_536;

/// The watched namespaces, and what is known of others, by inode number.
pub(super) struct Neighbours {
    watched: Vec<(u32, Netns)>,
    answers: HashMap<u32, (Instant, bool)>,
    paths: HashMap<u32, PathBuf>,
    listed: Option<Instant>,
}

impl Neighbours {
    /// Of these namespaces.
    pub(super) fn new(paths: &[PathBuf]) -> anyhow::Result<Self> {
        let watch = |path: &PathBuf| {
            let netns = Netns::open(path)?;
            Ok((netns.inum()?, netns))
        };
        let watched = paths.iter().map(watch).collect::<anyhow::Result<_>>()?;
        Ok(Self { watched, answers: HashMap::new(), paths: HashMap::new(), listed: None })
    }

    /// Whether the event counts.
    pub(super) fn wants(&mut self, event: &Event) -> bool {
        // The other events come from watched namespaces only.
        event.socket_netns().is_none_or(|netns| self.is_near(netns))
    }

    fn is_near(&mut self, netns: u32) -> bool {
        if netns == 0 || self.watched.iter().any(|(watched, _)| *watched == netns) {
            return true;
        }
        if let Some((when, answer)) = self.answers.get(&netns)
            && when.elapsed() < ANSWER_HOLDS
        {
            return *answer;
        }
        if self.answers.len() >= MAX_ANSWERS {
            self.answers.clear();
        }
        // What cannot be looked at may be a neighbour.
        let answer = self.look_at(netns).unwrap_or(true);
        self.answers.insert(netns, (Instant::now(), answer));
        answer
    }

    fn list(&mut self) {
        (self.paths, self.listed) = (list(), Some(Instant::now()));
    }

    fn open(&self, netns: u32) -> Option<Netns> {
        let namespace = Netns::open(self.paths.get(&netns)?).ok()?;
        (namespace.inum().ok()? == netns).then_some(namespace)
    }

    /// Whether one of its interfaces has its other end in a watched namespace; `None` where that cannot be determined.
    fn look_at(&mut self, netns: u32) -> Option<bool> {
        if self.listed.is_none_or(|when| when.elapsed() >= LIST_HOLDS) {
            self.list();
        }
        // The process that a path names may be gone, and another one in the namespace.
        let namespace = self.open(netns).or_else(|| {
            self.list();
            self.open(netns)
        })?;
        let watched: Vec<_> = self.watched.iter().map(|(_, namespace)| namespace.as_raw_fd()).collect();
        let look = || {
            let connection = Connection::open()?;
            let mut ends = Vec::new();
            connection.dump(RTM_GETLINK, &[0; LINK_HEADER], |_, body| {
                let attributes = attributes(body.get(LINK_HEADER..).unwrap_or_default());
                ends.extend(attributes.filter(|(kind, _)| *kind == IFLA_LINK_NETNSID).filter_map(|(_, id)| number(id)));
            })?;
            let is_end = |fd| Ok(id_of(&connection, fd)?.is_some_and(|id| ends.contains(&id)));
            watched.into_iter().map(is_end).collect::<anyhow::Result<Vec<_>>>()
        };
        Some(namespace.run(look).ok()?.contains(&true))
    }
}

/// The number that the namespace of this thread gives to another one.
fn id_of(connection: &Connection, fd: i32) -> anyhow::Result<Option<u32>> {
    let mut body = [0; ID_HEADER].to_vec();
    body.extend([8u16, NETNSA_FD].map(u16::to_ne_bytes).concat());
    body.extend(fd.to_ne_bytes());
    let mut found = None;
    connection.ask(RTM_GETNSID, &body, |kind, body| {
        let attributes = attributes(body.get(ID_HEADER..).unwrap_or_default());
        let mut ids = attributes.filter(|(attribute, _)| *attribute == NETNSA_NSID);
        if kind == RTM_NEWNSID {
            found = ids.next().and_then(|(_, id)| number(id));
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
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn the_namespace_of_this_process_is_listed() {
        let own = Netns::own().unwrap().inum().unwrap();
        assert!(list().contains_key(&own));
    }

    #[test]
    fn a_watched_namespace_and_one_that_nobody_finds_are_near() {
        let mut neighbours = Neighbours::new(&["/proc/self/ns/net".into()]).unwrap();
        let own = Netns::own().unwrap().inum().unwrap();
        assert!(neighbours.is_near(own) && neighbours.is_near(0) && neighbours.is_near(1));
    }
}
