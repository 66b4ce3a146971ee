//! The kernel may skip tracepoints' programs for a moment, or for good: what NAT and the wire report is enough to flag what failed,
//! nothing else, and to name a cause that is not of this node.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed unwrap is a failed test")]

use std::collections::HashSet;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};
use serde_json::Value;
use snatrace::store::{Reader, Writer};
use snatrace_lab::net::Net;
use snatrace_lab::plan::Plan;
use snatrace_lab::scenario::{Expect, Scenario};
use snatrace_lab::scenarios;
use snatrace_lab::score::{Flagged, Score};
use snatrace_lab::traffic::truth::Truth;
use tempfile::TempDir;
use tests::capturing;
use tests::lab::Lab;
use tests::process::Outcome;
use tracer_common::events::Event;

const CONNECTIONS: &str = "200";
/// How long a softirq is busy with one batch, and much longer.
const MOMENTS_NS: [u64; 3] = [200_000, 2_000_000, 20_000_000];
const MOMENTS: usize = 12;

/// What really happened, and what was recorded of it.
struct Recording {
    scenario: &'static Scenario,
    net: Net,
    truths: Vec<Truth>,
    events: Vec<Event>,
    directory: TempDir,
}

impl Recording {
    fn of(name: &str) -> Self {
        let scenario = scenarios::find(name).unwrap();
        let lab = Lab::up(name);
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let mut record = lab.capture("record", scenario.allow, &["-w"]);
        record.arg(path("whole")).arg("--").arg(lab.variable("BIN"));
        record.args(["traffic", "-n", CONNECTIONS, "--truth"]).arg(path("truth"));
        Outcome::of(&mut record).done();
        let plan: Plan = serde_json::from_str(lab.variable("PLAN")).unwrap();
        let truths = fs::read_to_string(path("truth")).unwrap();
        Self {
            scenario,
            net: Net::new(plan.lab),
            truths: truths.lines().map(|line| serde_json::from_str(line).unwrap()).collect(),
            events: events(&path("whole")),
            directory,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The score of the findings without the tracepoints of a while.
    fn score_without(&self, skipped: &Range<u64>) -> Score {
        let whole = Reader::open(&self.path("whole")).unwrap();
        let mut writer = Writer::create(&self.path("cut"), &whole.capture).unwrap();
        let is_told = |event: &&Event| !tracepoint_ns(event).is_some_and(|at| skipped.contains(&at));
        self.events.iter().filter(is_told).for_each(|event| writer.write(event).unwrap());
        writer.finish().unwrap();
        let all = matches!(self.scenario.expect, Expect::Causes(_)).then_some("--all");
        let mut replay = capturing();
        let replayed = Outcome::of(replay.args(["replay", "-o", "json"]).args(all).arg(self.path("cut"))).done();
        let lines = replayed.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let flagged: HashSet<_> = lines.filter_map(|line| Flagged::parse(&line, self.scenario.expect)).collect();
        Score::new(self.scenario, &self.net, &self.truths, &flagged, 0)
    }

    /// What is wrong without the tracepoints of a while.
    fn complaint(&self, skipped: &Range<u64>) -> Option<String> {
        let score = self.score_without(skipped);
        let count = self.events.iter().filter_map(tracepoint_ns).filter(|at| skipped.contains(at)).count();
        // Where a retransmit gets through, nothing fails, and something has a cause all the same.
        let right = count > 0 && score.failed + score.expected > 0 && score.is_right();
        (!right).then(|| format!("{}, {count} skipped: {score:?}", self.scenario.name))
    }

    fn moments(&self) -> Vec<Range<u64>> {
        let mut times: Vec<_> = self.events.iter().filter_map(tracepoint_ns).collect();
        times.sort_unstable();
        let lengths = MOMENTS_NS.into_iter().cycle();
        let begins = (0..MOMENTS).map(|moment| times[moment * times.len() / MOMENTS]);
        begins.zip(lengths).map(|(begin, length)| begin..begin + length).collect()
    }
}

/// Whatever moment is skipped. The kernel may skip one itself while it is recorded, and of two nothing need be left: then once more.
fn assert_right(name: &str, and_without_all: bool) {
    let complaint = || {
        let recording = Recording::of(name);
        let all = and_without_all.then_some(0..u64::MAX);
        recording.moments().iter().chain(&all).find_map(|skipped| recording.complaint(skipped))
    };
    if let Some(one) = complaint()
        && let Some(other) = complaint()
    {
        panic!("twice:\n{one}\n{other}");
    }
}

fn events(trace: &Path) -> Vec<Event> {
    let mut reader = Reader::open(trace).unwrap();
    let (mut batch, mut events) = (Vec::new(), Vec::new());
    while reader.blocks.read(4096, 0, &mut batch).unwrap() {
        events.extend(batch.drain(..).map(|(_, event)| event));
    }
    events
}

/// When a tracepoint reported it; `None` where another kind of hook did.
fn tracepoint_ns(event: &Event) -> Option<u64> {
    match event {
        Event::SynRetransmit(event) => Some(event.stamp.time_ns),
        Event::SockState(event) => Some(event.stamp.time_ns),
        Event::CtDrop(event) => Some(event.stamp.time_ns),
        Event::NatSelect(_) | Event::NatBind(_) | Event::Wire(_) => None,
        Event::Lost(_)
        | Event::Tick(_)
        | Event::CtTable(_)
        | Event::Owner(_)
        | Event::Uplink(_)
        | Event::Address(_)
        | Event::Process(_) => None,
    }
}

/// Names of the scenarios that are played without what sockets report.
const WITHOUT_SOCKETS: &[&str] = &["fully_random", "host", "service", "preserved_clash"];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let trial = |group: &str, name: &'static str, and_without_all: bool| {
        let test = move || {
            assert_right(name, and_without_all);
            Ok(())
        };
        Trial::test(format!("{group}::{name}"), test).with_ignored_flag(true)
    };
    // Only a drop shows a lost race.
    let is_seen_twice = |scenario: &&&Scenario| scenario.name != "insert_race";
    let causes = scenarios::ALL.iter().filter(|scenario| matches!(scenario.expect, Expect::Causes(_)));
    let causes = causes.filter(is_seen_twice).map(|scenario| trial("causes", scenario.name, false));
    let flags = WITHOUT_SOCKETS.iter().map(|name| trial("flags", name, true));
    libtest_mimic::run(&arguments, flags.chain(causes).collect()).exit_code()
}
