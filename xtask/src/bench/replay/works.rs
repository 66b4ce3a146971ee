//! What is measured: each work in a process of its own, all of them in turn, round by round.

use std::ffi::OsString;

use anyhow::Result;
use serde_json::{Value, json};

use super::stages::Stages;
use super::traces::{Trace, WithPackets};
use crate::bench::figures::{Spread, shown};
use crate::bench::table;
use crate::paths;

/// A program that finds the same retransmitted SYNs in the packets of the same connections.
pub struct Peer {
    pub name: &'static str,
    program: &'static str,
    /// Reads the packets of pods too, as snatrace does; else those of the uplink alone.
    both_sides: bool,
    arguments: &'static [&'static str],
    /// How many times faster snatrace is to be; 0 for no target.
    pub target: f64,
}

const RETRANSMITTED: &str = "tcp.analysis.retransmission && tcp.flags.syn==1 && tcp.srcport<32768";
const TSHARK: &[&str] = &["-Y", RETRANSMITTED, "-T", "fields", "-e", "ip.src", "-e", "tcp.srcport", "-e", "ip.dst"];
const TCPDUMP: &[&str] = &["-Z", "root", "-nn", "tcp[tcpflags] & tcp-syn != 0 and src portrange 1024-32767"];

pub const PEERS: &[Peer] = &[
    Peer { name: "tshark, both sides", program: "tshark", both_sides: true, arguments: TSHARK, target: 100.0 },
    Peer { name: "tshark, uplink only", program: "tshark", both_sides: false, arguments: TSHARK, target: 0.0 },
    Peer {
        name: "tcpdump -r, uplink only, no analysis",
        program: "tcpdump",
        both_sides: false,
        arguments: TCPDUMP,
        target: 0.0,
    },
];

/// Of all of them.
pub fn programs_of_peers() -> Vec<&'static str> {
    let mut programs: Vec<_> = PEERS.iter().map(|peer| peer.program).collect();
    programs.dedup();
    programs
}

/// What takes less is done again in the same round: a moment says little of a machine that is shared.
const LEAST_S: f64 = 1.0;

/// What peers are compared to: it shows the same retransmits, with cause and advice.
pub const OWN_OF_PEERS: &str = "peers: replay, text";

#[derive(Clone)]
pub struct Work {
    pub name: String,
    events: u64,
    /// Of `replay_stages`
    arguments: Vec<OsString>,
    /// As the arguments say, of snatrace itself
    by_snatrace: bool,
}

impl Work {
    fn new(name: String, events: u64, arguments: &[&str], trace: &Trace) -> Self {
        let arguments = arguments.iter().map(OsString::from).chain([trace.path.clone().into()]);
        Self { name, events, arguments: arguments.collect(), by_snatrace: false }
    }
}

pub fn judge(trace: &Trace) -> Work {
    Work::new(format!("{}: decode + join + causes", trace.name), trace.events, &["judge"], trace)
}

/// Every stage over a trace, and every command.
pub fn over(trace: &Trace) -> Vec<Work> {
    let decode = Work::new(format!("{}: decode", trace.name), trace.events, &["decode"], trace);
    let commands: [(&str, &[&str]); 4] = [
        ("infer", &["infer"]),
        ("report", &["report"]),
        ("replay, text", &["replay"]),
        ("replay, JSON", &["replay", "-o", "json"]),
    ];
    let commands = commands.map(|(name, arguments)| {
        let work = Work::new(format!("{}: {name}", trace.name), trace.events, arguments, trace);
        Work { by_snatrace: true, ..work }
    });
    [decode, judge(trace)].into_iter().chain(commands).collect()
}

/// Peers that are installed, each between two of what they are compared to: that is short, and one moment of it says little.
pub fn of_peers(packets: &WithPackets) -> Vec<Work> {
    let events = packets.trace.events;
    let own = Work::new(OWN_OF_PEERS.to_owned(), events, &["replay"], &packets.trace);
    let own = Work { by_snatrace: true, ..own };
    let mut works = vec![own.clone()];
    for peer in PEERS {
        let Some(program) = paths::program(peer.program) else {
            eprintln!("{}: skipped, {} is not installed", peer.name, peer.program);
            continue;
        };
        let file = if peer.both_sides { &packets.both_sides } else { &packets.uplink };
        let start = ["run".into(), "--".into(), program.into(), "-r".into(), file.into()];
        let arguments = start.into_iter().chain(peer.arguments.iter().map(OsString::from)).collect();
        works.extend([Work { name: peer.name.to_owned(), events, arguments, by_snatrace: false }, own.clone()]);
    }
    works
}

/// So many attempts begun that do not end.
pub fn open(attempts: u64) -> Work {
    let arguments = vec!["open".into(), attempts.to_string().into()];
    let name = format!("memory of {} M attempts begun", attempts / 1_000_000);
    Work { name, events: attempts * 2, arguments, by_snatrace: false }
}

/// The figures of a work.
pub struct Measured {
    pub name: String,
    events: u64,
    /// Each time that it was done.
    rounds: Vec<Value>,
    pub last: Value,
}

impl Measured {
    fn spread(&self, name: &str, scale: f64) -> Option<Spread> {
        Spread::of(self.rounds.iter().filter_map(|round| round[name].as_f64()).map(|figure| figure * scale))
    }

    fn median(&self, name: &str) -> f64 {
        self.spread(name, 1.0).map_or(f64::NAN, |spread| spread.median)
    }

    /// Millions a second of CPU time.
    pub fn events_per_us(&self) -> f64 {
        self.events as f64 / self.median("cpu_s") / 1e6
    }

    pub fn wall_s(&self) -> f64 {
        self.median("wall_s")
    }

    pub fn peak_mib(&self) -> f64 {
        self.median("peak_mib")
    }

    pub fn json(&self) -> Value {
        json!({ "what": self.name, "events": self.events, "rounds": self.rounds })
    }
}

/// Interleaved, so that what else the machine does hits all alike. What is named more than once is measured as often.
pub fn measure(stages: &Stages, works: &[Work], rounds: u32) -> Result<Vec<Measured>> {
    let mut all: Vec<Measured> = Vec::new();
    for round in 1..=rounds {
        for work in works {
            eprintln!("round {round} of {rounds}: {}", work.name);
            let measured = of(work, &mut all);
            let program = ["run".into(), "--".into(), stages.snatrace.clone().into()];
            let start = if work.by_snatrace { program.as_slice() } else { &[] };
            let mut taken_s = 0.0;
            while taken_s < LEAST_S {
                measured.last = stages.run(start.iter().chain(&work.arguments))?;
                measured.rounds.push(measured.last.clone());
                taken_s += measured.last["wall_s"].as_f64().unwrap_or(LEAST_S).max(LEAST_S / 50.0);
            }
        }
    }
    Ok(all)
}

fn of<'a>(work: &Work, all: &'a mut Vec<Measured>) -> &'a mut Measured {
    let index = all.iter().position(|measured| measured.name == work.name).unwrap_or_else(|| {
        all.push(Measured { name: work.name.clone(), events: work.events, rounds: vec![], last: Value::Null });
        all.len() - 1
    });
    &mut all[index]
}

pub fn table(measured: &[Measured]) -> String {
    let row = |measured: &Measured| {
        vec![
            measured.name.clone(),
            shown(measured.spread("cpu_s", 1e9 / measured.events as f64), 1),
            format!("{:.1}", measured.events_per_us()),
            shown(measured.spread("wall_s", 1.0), 2),
            shown(measured.spread("peak_mib", 1.0), 0),
        ]
    };
    let rows: Vec<_> = measured.iter().map(row).collect();
    table::aligned(&["what", "CPU ns/event", "M events/CPU s", "wall s", "peak MiB"], &rows)
}

/// How many times what snatrace takes.
pub fn ratios(ratios: &[(String, f64)]) -> String {
    let rows: Vec<_> = ratios.iter().map(|(name, ratio)| vec![name.clone(), format!("{ratio:.2} x")]).collect();
    table::aligned(&["what", &format!("to {OWN_OF_PEERS}")], &rows)
}
