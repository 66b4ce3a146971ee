//! A lab for a test: `snatrace-lab demo` holds it up as long as the test does.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::process::{self, Outcome, Running, until};
use crate::{capturing, snatrace_lab};

/// The ports that the filter of most scenarios passes.
pub const ALLOW: &str = "32768-65535";

/// A lab that is up. It is taken down when this is dropped, and also when the test is killed: its input ends then.
pub struct Lab {
    demo: Child,
    holds: Option<ChildStdin>,
    environment: Vec<(String, String)>,
}

impl Lab {
    /// Builds the lab of a scenario.
    pub fn up(scenario: &str) -> Self {
        let script = "env | grep ^SNATRACE_LAB_; echo; read -r _";
        let mut command = snatrace_lab();
        command.args(["demo", scenario, "--", "sh", "-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut demo = command.spawn().unwrap();
        let lines = BufReader::new(demo.stdout.take().unwrap()).lines().map(Result::unwrap);
        let variables = lines.take_while(|line| !line.is_empty());
        let pair = |line: String| line.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
        let environment = variables.map(|line| pair(line).unwrap()).collect();
        Self { holds: demo.stdin.take(), demo, environment }
    }

    /// A call of snatrace that finds the lab in its environment.
    pub fn snatrace(&self) -> Command {
        self.inside(capturing())
    }

    /// A call of `snatrace-lab traffic`.
    pub fn client(&self, options: &[&str]) -> Command {
        let mut command = self.inside(snatrace_lab());
        command.arg("traffic").args(options);
        command
    }

    fn inside(&self, mut command: Command) -> Command {
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// `tail` or `record` on the lab's node.
    pub fn capture(&self, verb: &str, allow: &str, options: &[&str]) -> Command {
        let mut command = self.snatrace();
        command.args([verb, "--netns", self.variable("NODE_NETNS"), "--src", self.variable("SRC")]);
        command.args(["--allow", allow]).args(options);
        command
    }

    /// Makes connections once a capture with `--all -o json` is ready, and ends it by this signal: exactly what failed is flagged.
    /// Returns how the capture ended, and what failed.
    pub fn play(&self, capture: Running, ready: &Path, end: Signal) -> (Outcome, BTreeSet<Connection>) {
        until("the ready file", || ready.exists());
        let truth = ready.with_extension("truth");
        Outcome::of(self.client(&["-n", "60", "--truth"]).arg(&truth)).done();
        capture.signal(end);
        let outcome = capture.finish();
        let failed = connections(&fs::read_to_string(&truth).unwrap(), |line| line["ok"] == false);
        assert!(!failed.is_empty(), "nothing failed");
        assert_eq!(outcome.code, Some(0), "{outcome:#?}");
        assert_eq!(connections(&outcome.stdout, is_flagged_end), failed, "{outcome:#?}");
        (outcome, failed)
    }

    /// The words of a command that makes connections in the lab and is silent about it.
    pub fn traffic(connections: u32) -> Vec<OsString> {
        let words = ["traffic", "--truth", "/dev/null", "-n", &connections.to_string()].map(OsString::from);
        [snatrace_lab().get_program().to_owned()].into_iter().chain(words).collect()
    }

    /// What TC shows on the node's uplink.
    pub fn tc(&self) -> String {
        let show = |words: &[&str]| {
            let node = self.node();
            let node = node.file_name().unwrap();
            Outcome::of(Command::new("ip").args(["netns", "exec"]).arg(node).arg("tc").args(words)).done()
        };
        let filters = ["ingress", "egress"].map(|direction| show(&["filter", "show", "dev", "eth0", direction]));
        show(&["qdisc", "show", "dev", "eth0"]) + &filters.concat()
    }

    /// The file of the node's namespace.
    pub fn node(&self) -> PathBuf {
        Path::new(self.variable("NODE_NETNS")).to_owned()
    }

    /// The process that holds the lab up.
    pub fn pid(&self) -> u32 {
        self.demo.id()
    }

    /// One of the variables that a lab's command is given.
    pub fn variable(&self, name: &str) -> &str {
        let name = format!("SNATRACE_LAB_{name}");
        let found = self.environment.iter().find(|(known, _)| *known == name);
        found.map_or_else(|| panic!("the lab is not up: there is no {name}"), |(_, value)| value)
    }
}

/// A connection before NAT: source port, destination. Connections to several destinations may have one source port.
pub type Connection = (u64, String, u64);

/// The connection of a line of JSON: of a client's truth or of a capture.
pub fn connection(line: &Value) -> Connection {
    let port = |name: &str| line[name].as_u64().unwrap();
    (port("src_port"), line["dst"].as_str().unwrap().to_owned(), port("dst_port"))
}

/// Those of the lines that are meant.
pub fn connections(lines: &str, is_meant: impl Fn(&Value) -> bool) -> BTreeSet<Connection> {
    let lines = lines.lines().map(|line| serde_json::from_str(line).unwrap());
    lines.filter(is_meant).map(|line: Value| connection(&line)).collect()
}

/// Whether a line of a capture is the last of a flagged attempt.
pub fn is_flagged_end(line: &Value) -> bool {
    line["kind"] == "ended" && line["flagged"] == true
}

impl Drop for Lab {
    fn drop(&mut self) {
        drop(self.holds.take());
        process::wait(&mut self.demo);
    }
}
