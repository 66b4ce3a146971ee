//! Notices that packets are forwarded between interfaces that are not watched, while no SYN is seen leaving: connections without a socket here
//! show in no event then. The kernel's counters show it, of each namespace.

use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::path::PathBuf;

use anyhow::Context as _;

use crate::netns::Netns;

/// As few as these may be anything.
const MIN_UNWATCHED_PACKETS: u64 = 20;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Counters {
    forwarded: u64,
    /// Packets that each interface received and sent
    interfaces: Vec<(String, u64, u64)>,
}

impl Counters {
    /// From `/proc/net/snmp`, `snmp6` and `dev`.
    fn parse(snmp: &str, snmp6: &str, dev: &str) -> Self {
        let mut ip = snmp.lines().filter_map(|line| line.strip_prefix("Ip:")).map(str::split_whitespace);
        let (names, values) = (ip.next(), ip.next());
        let v4 = names.zip(values).and_then(|(names, values)| number_of("ForwDatagrams", names.zip(values)));
        let pairs = snmp6.lines().filter_map(|line| line.split_once(char::is_whitespace));
        let v6 = number_of("Ip6OutForwDatagrams", pairs);
        let interface = |line: &str| {
            let (name, numbers) = line.split_once(':')?;
            let mut numbers = numbers.split_whitespace().map(|number| number.parse().unwrap_or(0));
            // Of eight numbers of what was received and eight of what was sent, the second counts packets.
            Some((name.trim().to_owned(), numbers.nth(1)?, numbers.nth(7)?))
        };
        let forwarded = v4.unwrap_or(0) + v6.unwrap_or(0);
        Self { forwarded, interfaces: dev.lines().filter_map(interface).collect() }
    }

    fn of(&self, name: &str) -> (u64, u64) {
        let found = self.interfaces.iter().find(|(other, ..)| other == name);
        found.map_or((0, 0), |(_, received, sent)| (*received, *sent))
    }

    /// How many packets were forwarded since then that no watched interface received or sent, at least; and which others sent any.
    fn unwatched_since(&self, before: &Self, watched: &[&str]) -> (u64, Vec<&str>) {
        let mut forwarded = self.forwarded.saturating_sub(before.forwarded);
        let mut others = Vec::new();
        for (name, received, sent) in &self.interfaces {
            let (received_before, sent_before) = before.of(name);
            let sent = sent.saturating_sub(sent_before);
            if watched.contains(&name.as_str()) {
                forwarded = forwarded.saturating_sub(received.saturating_sub(received_before) + sent);
            } else if sent > 0 && name != "lo" {
                others.push(name.as_str());
            }
        }
        (forwarded, others)
    }
}

fn number_of<'a>(wanted: &str, mut pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Option<u64> {
    pairs.find(|(name, _)| *name == wanted)?.1.trim().parse().ok()
}

/// The counters' files stay open: later, this process may not open any.
#[derive(Debug)]
struct Space {
    files: [File; 3],
    before: Counters,
}

impl Space {
    fn open() -> anyhow::Result<Self> {
        let open = |name: &str| File::open(PathBuf::from("/proc/thread-self/net").join(name));
        let mut files = [open("snmp")?, open("snmp6").or_else(|_| open("snmp"))?, open("dev")?];
        let before = read(&mut files)?;
        Ok(Self { files, before })
    }
}

fn read(files: &mut [File; 3]) -> anyhow::Result<Counters> {
    let mut texts = [String::new(), String::new(), String::new()];
    for (file, text) in files.iter_mut().zip(&mut texts) {
        file.rewind()?;
        file.read_to_string(text)?;
    }
    let [snmp, snmp6, dev] = texts;
    Ok(Counters::parse(&snmp, &snmp6, &dev))
}

/// Packets that are forwarded past the watched interfaces.
#[derive(Debug)]
pub struct Forwarded(Vec<Space>);

impl Forwarded {
    /// Counts from now on, in these namespaces or in the own one.
    pub fn open(namespaces: &[PathBuf]) -> anyhow::Result<Self> {
        if namespaces.is_empty() {
            return Ok(Self(vec![Space::open()?]));
        }
        let spaces = namespaces.iter().map(|path| Netns::open(path)?.run(Space::open));
        Ok(Self(spaces.collect::<anyhow::Result<_>>().context("cannot read the counters of a namespace")?))
    }

    /// What to say, if enough packets were forwarded past the watched interfaces.
    pub(super) fn words(&mut self, watched: &[&str]) -> Option<String> {
        self.0.iter_mut().find_map(|space| {
            let now = read(&mut space.files).ok()?;
            let (packets, others) = now.unwatched_since(&space.before, watched);
            (packets >= MIN_UNWATCHED_PACKETS).then(|| words(packets, &others))
        })
    }
}

fn words(packets: u64, others: &[&str]) -> String {
    format!(
        "at least {packets} packets were forwarded between interfaces that are not watched, and no watched interface saw a SYN leave: inside a \
         cluster this is usual, else name the interface that forwarded connections leave through with --iface (not watched: {})",
        others.join(", ").escape_debug()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counters(forwarded: u64, eth0: u64, eth1: u64) -> Counters {
        let snmp = format!("Ip: Forwarding DefaultTTL ForwDatagrams\nIp: 1 64 {forwarded}\nTcp: a\nTcp: 1\n");
        let dev = format!(
            "Inter-|   Receive\n face |bytes packets\n    lo: 1 9 0 0 0 0 0 0 1 9 0 0 0 0 0 0\n  eth0: 10 0 0 0 0 0 0 0 10 {eth0} 0 0 0 0 0 0\n  \
             eth1: 10 5 0 0 0 0 0 0 10 {eth1} 0 0 0 0 0 0\n"
        );
        Counters::parse(&snmp, "Ip6InReceives   7\nIp6OutForwDatagrams  \t2\n", &dev)
    }

    #[test]
    fn the_counters_are_found() {
        let interfaces = vec![("lo".to_owned(), 9, 9), ("eth0".to_owned(), 0, 3), ("eth1".to_owned(), 5, 4)];
        assert_eq!(counters(40, 3, 4), Counters { forwarded: 42, interfaces });
        assert_eq!(Counters::parse("", "", "eth0: 1"), Counters::default());
    }

    #[test]
    fn what_no_watched_interface_received_or_sent_was_forwarded_unseen() {
        let (before, now) = (counters(100, 10, 10), counters(140, 22, 50));
        assert_eq!(now.unwatched_since(&before, &["eth0"]), (28, vec!["eth1"]));
        assert_eq!(now.unwatched_since(&before, &["eth0", "eth1"]), (0, vec![]));
    }
}
