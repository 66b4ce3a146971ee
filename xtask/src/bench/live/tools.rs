//! The tools that are measured: snatrace, and other tools doing what comes closest to the same work.

use std::fs;
use std::path::Path;

use serde_json::Value;

pub struct Tool {
    pub name: &'static str,
    pub sees: &'static str,
    /// Program and arguments, from the path of snatrace; it writes files into the directory.
    pub command: fn(&Path, &Path) -> Vec<String>,
    pub ready: Ready,
    /// How much it lost by its own report, once it has ended; `None` when it reports nothing.
    pub lost: fn(&Path, &Path) -> Option<u64>,
}

/// How one sees that a tool is attached.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Ready {
    /// It creates this file.
    File(&'static str),
    /// It writes these words into this file.
    Says(&'static str, &'static str),
    /// It listens to the kernel's conntrack events.
    Netlink,
}

pub const TAIL: &str = "tail";
pub const TAIL_METRICS: &str = "tail-metrics";
pub const RECORD: &str = "record";

pub const ALL: &[Tool] = &[
    Tool {
        name: TAIL,
        sees: "both tuples, retransmits, outcome, verdict",
        command: |program, dir| snatrace(program, dir, &["tail", "-o", "json"]),
        ready: Ready::File("ready"),
        lost: |_, dir| summary_of_tail(dir)?["lost"].as_u64(),
    },
    Tool {
        name: TAIL_METRICS,
        sees: "as tail, with counts for Prometheus",
        command: |program, dir| {
            let address = format!("unix:{}", dir.join("metrics").display());
            snatrace(program, dir, &["tail", "-o", "json", "--metrics", &address])
        },
        ready: Ready::File("ready"),
        lost: |_, dir| summary_of_tail(dir)?["lost"].as_u64(),
    },
    Tool {
        name: RECORD,
        sees: "as tail, written to a trace",
        command: |program, dir| snatrace(program, dir, &["record", "-w", &dir.join("trace").to_string_lossy()]),
        ready: Ready::File("ready"),
        lost: |program, dir| {
            let mut replay = std::process::Command::new(program);
            replay.arg("replay").arg(dir.join("trace")).args(["-o", "json"]);
            summary(&crate::process::output(&mut replay).ok()?)?["lost"].as_u64()
        },
    },
    Tool {
        name: "tcpdump",
        sees: "SYNs after NAT",
        command: |_, dir| {
            let (filter, file) = ("tcp[tcpflags] & (tcp-syn|tcp-ack) = tcp-syn", dir.join("pcap"));
            words(&["tcpdump", "-i", "eth0", "-n", "-Z", "root", "-w", &file.to_string_lossy(), filter])
        },
        ready: Ready::Says("err", "listening on"),
        lost: |_, dir| number_before(&read(dir, "err"), "packets dropped by kernel"),
    },
    Tool {
        name: "conntrack",
        sees: "both tuples of new connections",
        command: |_, _| words(&["conntrack", "-E", "-e", "NEW"]),
        ready: Ready::Netlink,
        lost: |_, dir| Some(read(dir, "err").matches("ENOBUFS").count() as u64),
    },
];

pub fn find(name: &str) -> Result<&'static Tool, String> {
    let names = || ALL.iter().map(|tool| tool.name).collect::<Vec<_>>().join(", ");
    ALL.iter().find(|tool| tool.name == name).ok_or_else(|| format!("the known tools are {}", names()))
}

/// The last line of a capture as JSON is its summary.
pub fn summary_of_tail(dir: &Path) -> Option<Value> {
    summary(&read(dir, "out"))
}

fn summary(text: &str) -> Option<Value> {
    serde_json::from_str(text.lines().last()?).ok()
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

fn snatrace(program: &Path, dir: &Path, args: &[&str]) -> Vec<String> {
    let (program, ready) = (program.to_string_lossy(), dir.join("ready"));
    words(&[&[&*program], args, &["--ready-file", &*ready.to_string_lossy()]].concat())
}

fn read(dir: &Path, file: &str) -> String {
    fs::read(dir.join(file)).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

fn number_before(text: &str, words: &str) -> Option<u64> {
    let (before, _) = text.split_once(words)?;
    before.split_whitespace().last()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{number_before, summary};

    #[test]
    fn losses_are_read_from_the_report_of_each_tool() {
        let tcpdump = "5 packets captured\n7 packets dropped by kernel\n";
        assert_eq!(number_before(tcpdump, "packets dropped by kernel"), Some(7));
        let tail = summary("{\"kind\":\"retransmit\"}\n{\"kind\":\"summary\",\"lost\":9}\n");
        assert_eq!(tail.map(|summary| summary["lost"].clone()), Some(9.into()));
        assert_eq!(summary(""), None);
    }
}
