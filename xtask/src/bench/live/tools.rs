//! What is measured: snatrace in its ways, and its peers, each at what comes closest to the same work.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::Bench;
use crate::paths;

/// One way to watch connections.
pub struct Tool {
    /// The word on the command line.
    pub name: &'static str,
    /// What it sees.
    pub sees: &'static str,
    /// The program, and what it is given; files go to the directory.
    pub command: fn(&Bench, &Path) -> Vec<String>,
    pub ready: Ready,
    /// How much it says it lost, once it has ended; nothing when it says nothing.
    pub lost: fn(&Bench, &Path) -> Option<u64>,
}

/// How one sees that a tool is at work.
#[derive(Clone, Copy)]
pub enum Ready {
    /// It makes this file.
    File(&'static str),
    /// It says so in this file.
    Says(&'static str, &'static str),
    /// It listens to the kernel's conntrack events.
    Netlink,
}

pub const TAIL: &str = "tail";
pub const RECORD: &str = "record";
/// Those of our own.
pub const OURS: &[&str] = &[TAIL, RECORD, "tail-all"];

pub const ALL: &[Tool] = &[
    Tool {
        name: TAIL,
        sees: "both tuples, retransmits, outcome, verdict",
        command: |bench, dir| snatrace(bench, dir, &["tail", "-o", "json"]),
        ready: Ready::File("ready"),
        lost: |_, dir| summary_lost(&read(dir, "out")),
    },
    Tool {
        name: RECORD,
        sees: "the same, written to a trace",
        command: |bench, dir| snatrace(bench, dir, &["record", "-w", &dir.join("trace").to_string_lossy()]),
        ready: Ready::File("ready"),
        lost: |bench, dir| summary_lost(&replayed(bench, dir)),
    },
    Tool {
        name: "tail-all",
        sees: "the same, every retransmit shown",
        command: |bench, dir| snatrace(bench, dir, &["tail", "--all", "-o", "json"]),
        ready: Ready::File("ready"),
        lost: |_, dir| summary_lost(&read(dir, "out")),
    },
    Tool {
        name: "tcpdump",
        sees: "SYNs after NAT",
        command: |_, dir| {
            let filter = "tcp[tcpflags] & (tcp-syn|tcp-ack) = tcp-syn";
            let file = dir.join("pcap").display().to_string();
            words(&["tcpdump", "-i", "eth0", "-n", "-Z", "root", "-w", &file, filter])
        },
        ready: Ready::Says("err", "listening on"),
        lost: |_, dir| number_before(&read(dir, "err"), "packets dropped by kernel"),
    },
    Tool {
        name: "conntrack-new",
        sees: "both tuples of new connections",
        command: |_, _| words(&["conntrack", "-E", "-e", "NEW"]),
        ready: Ready::Netlink,
        lost: |_, dir| Some(read(dir, "err").matches("ENOBUFS").count() as u64),
    },
    Tool {
        name: "conntrack-all",
        sees: "all conntrack events",
        command: |_, _| words(&["conntrack", "-E"]),
        ready: Ready::Netlink,
        lost: |_, dir| Some(read(dir, "err").matches("ENOBUFS").count() as u64),
    },
    Tool {
        name: "bpftrace",
        sees: "retransmits, no NAT (as tcpretrans)",
        command: |_, _| words(&["bpftrace", "-B", "line", "-e", TCPRETRANS]),
        ready: Ready::Says("out", "ready"),
        lost: |_, dir| number_after(&read(dir, "err"), "Lost "),
    },
    Tool {
        name: "bpftrace-nat",
        sees: "each new connection, in the NAT functions",
        command: |_, _| words(&["bpftrace", "-B", "line", "-e", NAT_FUNCTIONS]),
        ready: Ready::Says("out", "ready"),
        lost: |_, dir| number_after(&read(dir, "err"), "Lost "),
    },
];

/// After the tool of that name in bcc and bpftrace.
const TCPRETRANS: &str = r#"
tracepoint:tcp:tcp_retransmit_skb {
    time("%H:%M:%S ");
    printf("%s:%d > %s:%d %d\n", ntop(args->saddr), args->sport, ntop(args->daddr), args->dport, args->state);
}
interval:ms:20 /!@ready/ { @ready = 1; printf("ready\n"); }
"#;

/// A line for each connection whose binding is confirmed, as one writes it to watch NAT where there are kprobes.
const NAT_FUNCTIONS: &str = r#"
kprobe:nf_nat_setup_info { @range[arg0] = *(uint32 *)arg1; }
kprobe:__nf_conntrack_confirm {
    $skb = (struct sk_buff *)arg0;
    $ct = $skb->_nfct & 0xfffffffffffffff8;
    printf("%d %lx %d\n", nsecs, $ct, @range[$ct]);
    delete(@range[$ct]);
}
interval:ms:20 /!@ready/ { @ready = 1; printf("ready\n"); }
"#;

pub fn find(name: &str) -> Result<&'static Tool, String> {
    let names = || ALL.iter().map(|tool| tool.name).collect::<Vec<_>>().join(", ");
    ALL.iter().find(|tool| tool.name == name).ok_or_else(|| format!("known tools are {}", names()))
}

/// Why it cannot run here, when that is known before trying.
pub fn missing(command: &[String]) -> Option<String> {
    let program = command.first()?;
    let is_there = Path::new(program).is_file() || paths::program(program).is_some();
    (!is_there).then(|| format!("{program} is not installed"))
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

fn snatrace(bench: &Bench, dir: &Path, args: &[&str]) -> Vec<String> {
    let mut all = vec![bench.snatrace.display().to_string()];
    all.extend(words(args));
    all.push("--ready-file".to_owned());
    all.push(dir.join("ready").display().to_string());
    all
}

fn read(dir: &Path, file: &str) -> String {
    fs::read(dir.join(file)).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

fn summary_lost(text: &str) -> Option<u64> {
    summary(text)?["lost"].as_u64()
}

/// How many attempts a tail told of that wrote to this directory.
pub fn told(dir: &Path) -> Option<u64> {
    summary(&read(dir, "out"))?["attempts"].as_u64()
}

/// How many attempts a tail had that wrote to this directory, and how many it had to give up.
pub fn attempts_and_evicted(dir: &Path) -> Option<(u64, u64)> {
    let summary = summary(&read(dir, "out"))?;
    Some((summary["attempts"].as_u64()?, summary["evicted"].as_u64()?))
}

/// The last line of a capture as JSON is its summary.
fn summary(text: &str) -> Option<Value> {
    serde_json::from_str(text.lines().last()?).ok()
}

fn replayed(bench: &Bench, dir: &Path) -> String {
    let mut command = std::process::Command::new(&bench.snatrace);
    crate::process::output(command.arg("replay").arg(dir.join("trace")).args(["-o", "json"])).unwrap_or_default()
}

fn number_before(text: &str, words: &str) -> Option<u64> {
    let (before, _) = text.split_once(words)?;
    before.split_whitespace().last()?.parse().ok()
}

/// The sum of all such numbers.
fn number_after(text: &str, words: &str) -> Option<u64> {
    let numbers = text.split(words).skip(1).filter_map(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    Some(numbers.sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_are_read_from_what_each_tool_says() {
        assert_eq!(
            number_before("5 packets captured\n7 packets dropped by kernel\n", "packets dropped by kernel"),
            Some(7)
        );
        assert_eq!(number_after("Lost 3 events\nLost 4 events\n", "Lost "), Some(7));
        assert_eq!(summary_lost("{\"kind\":\"retransmit\"}\n{\"kind\":\"summary\",\"lost\":9}\n"), Some(9));
    }

    #[test]
    fn a_capture_that_said_nothing_lost_an_unknown_number() {
        assert_eq!(summary_lost(""), None);
    }

    #[test]
    fn tools_have_names_of_their_own() {
        for (index, tool) in ALL.iter().enumerate() {
            assert!(ALL.iter().skip(index + 1).all(|other| other.name != tool.name), "{}", tool.name);
        }
    }
}
