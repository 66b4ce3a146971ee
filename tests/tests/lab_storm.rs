//! The load of the benchmarks: what it counts is what happened, and a capture beside it sees all of it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed unwrap is a failed test")]

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use nix::sys::signal::Signal;
use serde_json::Value;
use tests::lab::Lab;
use tests::process::{Running, summary, until};

/// `snatrace-lab traffic` as a child that answers lines.
struct Asked {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl Asked {
    fn start(lab: &Lab, options: &[&str]) -> Self {
        let mut command = lab.client(options);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self { stdin: child.stdin.take(), stdout, child }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line
    }

    fn ask(&mut self) -> Value {
        self.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
        serde_json::from_str(&self.line()).unwrap()
    }

    /// It ends with its input.
    fn end(mut self) {
        drop(self.stdin.take());
        assert!(self.child.wait().unwrap().success());
    }
}

#[test]
#[ignore = "needs root: cargo xtask test --only lab"]
fn a_storm_is_seen_in_full() {
    let lab = Lab::up("filter_fixed");
    let tail = Running::attached(&mut lab.capture("tail", "any", &["-o", "json"]));

    let mut server = Asked::start(&lab, &["--storm-server"]);
    assert_eq!(server.line(), "listening\n");
    let mut storm = Asked::start(&lab, &["--storm", "--rate", "2000"]);
    let mut established = 0;
    until("two thousand connections", || {
        let counted = storm.ask();
        assert_eq!(counted["failed"], 0, "{counted}");
        established += counted["established"].as_u64().unwrap();
        established >= 2000
    });
    storm.end();
    server.end();
    tail.signal(Signal::SIGINT);
    let summary = summary(&tail.finish().done());
    assert_eq!(summary["lost"], 0, "{summary}");
    assert!(summary["attempts"].as_u64().unwrap() >= established, "{established} of {summary}");
}
