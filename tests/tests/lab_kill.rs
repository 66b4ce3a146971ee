//! How captures end: killed, asked to, by themselves. Whatever it is, what was recorded can be read and nothing is left.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed unwrap is a failed test")]

use std::io::{BufRead, BufReader, Seek, pipe};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;
use serde_json::Value;
use tests::attached::Attached;
use tests::lab::{ALLOW, Lab};
use tests::process::{Outcome, Running, end_with_us, is_notice, summary, until, wait, within};
use tests::{capturing, read_trace};

/// A capture that is attached, and what it holds.
struct Capture {
    running: Running,
    attached: Attached,
}

impl Capture {
    fn start(lab: &Lab, verb: &str, options: &[&str]) -> Self {
        let running = Running::attached(&mut lab.capture(verb, ALLOW, options));
        let attached = Attached::by(running.pid());
        assert!(attached.programs.len() >= 4 && attached.is_there(), "{attached:?}");
        Self { running, attached }
    }
}

/// Nothing of a capture is left, and TC is as it was before.
fn assert_gone(attached: &Attached, lab: &Lab, before: &str) {
    attached.wait_until_gone();
    if lab.tc() != before {
        // Without TCX the filters of a killed run stay until the next start.
        Outcome::of(&mut lab.capture("tail", ALLOW, &["--", "true"])).done();
    }
    assert_eq!(lab.tc(), before);
}

fn boot_ns() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_BOOTTIME).unwrap();
    u64::try_from(Duration::from(now).as_nanos()).unwrap()
}

/// Some 650 connections a second, none of which waits for an earlier one, so that there are always events.
fn steady_load(lab: &Lab) -> Command {
    let mut plan: Value = serde_json::from_str(lab.variable("PLAN")).unwrap();
    assert!(plan["pace_us"].is_u64(), "{plan}");
    plan["pace_us"] = 1500.into();
    let mut traffic = lab.client(&["--truth", "/dev/null", "-n", "100000"]);
    traffic.env("SNATRACE_LAB_PLAN", plan.to_string());
    traffic
}

/// How long the trace did not grow, some times; returns while it has not grown for a while again, which is a bad moment.
fn gaps_between_blocks(trace: &Path) -> Vec<Duration> {
    let (mut size, mut grown, mut gaps) = (0, Instant::now(), Vec::new());
    until("some blocks and the middle of another", || {
        let now = trace.metadata().map_or(0, |data| data.len());
        if now > size {
            gaps.push(grown.elapsed());
            (size, grown) = (now, Instant::now());
        }
        gaps.len() > 8 && grown.elapsed() > Duration::from_millis(300)
    });
    gaps
}

fn retransmits(text: &str) -> usize {
    text.lines().filter(|line| line.contains(r#""kind":"retransmit""#)).count()
}

/// What it says on stderr besides what this kernel cannot do.
fn said(outcome: &Outcome) -> Vec<&str> {
    outcome.stderr.lines().filter(|line| !is_notice(line)).collect()
}

#[test]
#[ignore = "needs root: cargo xtask test --only lab"]
fn a_killed_recorder_loses_at_most_a_second_and_leaves_nothing() {
    let lab = Lab::up("fully_random");
    let before = lab.tc();
    let directory = tempfile::tempdir().unwrap();
    let trace = directory.path().join("t");
    let Capture { running, attached } = Capture::start(&lab, "record", &["-w", trace.to_str().unwrap()]);
    let _load = Running::start(&mut steady_load(&lab));
    until("a trace under load", || trace.metadata().is_ok_and(|data| data.len() > 50_000));
    let gaps = gaps_between_blocks(&trace);
    assert!(gaps.iter().all(|gap| *gap <= Duration::from_secs(1)), "a second would be lost: {gaps:?}");

    let killed_ns = boot_ns();
    running.signal(Signal::SIGKILL);
    assert_eq!(running.finish().code, None, "killed");

    let report = read_trace(&trace);
    assert!(report.events > 1000 && report.unfinished == 1 && report.damaged_blocks == 0, "{report}");
    let lost = Duration::from_nanos(killed_ns.saturating_sub(report.last_ns));
    assert!(lost <= Duration::from_secs(1), "{lost:?} are lost");
    let replayed = Outcome::of(capturing().args(["replay", "-o", "json"]).arg(&trace));
    replayed.assert_one_line("the recorder did not finish (killed, disk full, or still recording)");
    assert!(summary(&replayed.done())["attempts"].as_u64() > Some(100));
    assert_gone(&attached, &lab, &before);
}

#[test]
#[ignore = "needs root: cargo xtask test --only lab"]
fn a_signal_ends_a_capture_cleanly_with_the_counts() {
    let lab = Lab::up("fully_random");
    let before = lab.tc();
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        let tail = Capture::start(&lab, "tail", &["-o", "json"]);
        Outcome::of(&mut lab.client(&["--truth", "/dev/null", "-n", "40"])).done();
        tail.running.signal(signal);
        let outcome = tail.running.finish();
        assert_eq!(said(&outcome), [""; 0], "{signal}");
        let text = outcome.done();
        assert_eq!(summary(&text)["attempts"], 40, "{signal}");
        assert!(retransmits(&text) > 0, "{signal}");
        assert_gone(&tail.attached, &lab, &before);
    }
}

#[test]
#[ignore = "needs root: cargo xtask test --only lab"]
fn a_hangup_ends_no_capture_that_is_to_ignore_it() {
    let lab = Lab::up("fully_random");
    let call = lab.capture("tail", ALLOW, &["-o", "json"]);
    let mut nohup = Command::new("sh");
    nohup.args(["-c", "trap '' HUP; exec \"$@\"", "sh"]);
    let tail = Running::attached(&mut within(nohup, &call));
    tail.signal(Signal::SIGHUP);
    Outcome::of(&mut lab.client(&["--truth", "/dev/null", "-n", "40"])).done();
    tail.signal(Signal::SIGTERM);
    assert_eq!(summary(&tail.finish().done())["attempts"], 40);
}

#[test]
#[ignore = "needs root: cargo xtask test --only lab"]
fn a_standard_error_that_is_gone_ends_no_capture() {
    let lab = Lab::up("fully_random");
    let directory = tempfile::tempdir().unwrap();
    let trace = directory.path().join("t");
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    let mut record = lab.capture("record", ALLOW, &["-w", trace.to_str().unwrap(), "--"]);
    record.args(Lab::traffic(40)).stdin(Stdio::null()).stdout(Stdio::null()).stderr(writer);
    assert_eq!(wait(&mut end_with_us(&mut record).spawn().unwrap()).code(), Some(0));
    assert!(!read_trace(&trace).has_notes());
}

#[test]
#[ignore = "needs root: cargo xtask test --only lab"]
fn an_interface_that_goes_away_is_told_and_the_rest_goes_on() {
    let lab = Lab::up("fully_random");
    let node = format!("--net={}", lab.node().display());
    Outcome::of(Command::new("nsenter").args([&node, "ip", "link", "add", "brief0", "type", "veth"])).done();
    let call = lab.capture("tail", ALLOW, &["-o", "json", "-i", "eth0", "--interface", "brief0"]);
    let mut nsenter = Command::new("nsenter");
    nsenter.arg(&node);
    let mut tail = within(nsenter, &call);
    // The second in which it looks, and one more.
    tail.args(["--", "sh", "-c", "ip link del brief0; sleep 2.5; exec \"$@\"", "sh"]).args(Lab::traffic(40));
    let outcome = Outcome::of(&mut tail);
    assert!(outcome.stderr.contains("snatrace: watching brief0, eth0\n"), "{}", outcome.stderr);
    assert!(
        said(&outcome).len() == 1 && said(&outcome)[0].contains("no longer watching brief0: it is gone"),
        "{}",
        outcome.stderr
    );
    assert_eq!(summary(&outcome.done())["attempts"], 40);
}

#[test]
#[ignore = "needs root: cargo xtask test --only lab"]
fn what_a_command_writes_is_not_among_the_data() {
    let lab = Lab::up("fully_random");
    let noise = ["--", "sh", "-c", "echo noise; exec \"$@\"", "sh"];
    let tail = Outcome::of(lab.capture("tail", ALLOW, &["-o", "json"]).args(noise).args(Lab::traffic(40)));
    assert_eq!(said(&tail), ["noise"]);
    assert!(!tail.stdout.contains("noise") && summary(&tail.done())["attempts"] == 40);

    let directory = tempfile::tempdir().unwrap();
    let trace = directory.path().join("t");
    let mut record = lab.capture("record", ALLOW, &["-w", "-"]);
    record.args(noise).args(Lab::traffic(40)).stdout(std::fs::File::create(&trace).unwrap());
    assert_eq!(wait(&mut end_with_us(&mut record).spawn().unwrap()).code(), Some(0));
    assert!(!read_trace(&trace).has_notes());

    // With the trace in a file, standard output is the command's.
    let quiet = directory.path().join("quiet");
    let mut record = lab.capture("record", ALLOW, &["-w", quiet.to_str().unwrap(), "--", "echo", "noise"]);
    assert_eq!(Outcome::of(&mut record).done(), "noise\n");
}

#[test]
#[ignore = "needs root: cargo xtask test --only lab"]
fn a_signal_finishes_the_trace() {
    let lab = Lab::up("fully_random");
    let directory = tempfile::tempdir().unwrap();
    let trace = directory.path().join("t");
    let record = Capture::start(&lab, "record", &["-w", trace.to_str().unwrap()]);
    Outcome::of(&mut lab.client(&["--truth", "/dev/null", "-n", "40"])).done();
    record.running.signal(Signal::SIGTERM);
    let outcome = record.running.finish();
    let report = read_trace(&trace);
    assert_eq!(said(&outcome).len(), 2, "{outcome:?}");
    assert!(said(&outcome)[0].starts_with(&format!("snatrace: recorded {} events in ", report.events)), "{outcome:?}");
    assert!(said(&outcome)[1].starts_with("snatrace: 40 attempts, "), "{outcome:?}");
    assert!(!report.has_notes() && report.events > 40, "{report}");
    assert_eq!(outcome.code, Some(0));
}

#[test]
#[ignore = "needs root: cargo xtask test --only lab"]
fn so_many_lines_and_no_more_end_a_capture_and_its_command() {
    let lab = Lab::up("fully_random");
    let before = lab.tc();
    let mut tail = lab.capture("tail", ALLOW, &["-o", "json", "-c", "3", "--"]);
    // The command goes on for ever, so that only the third line can end this.
    tail.args(["sh", "-c", "echo $$ >&2; while :; do \"$@\"; done", "sh"]).args(Lab::traffic(100));
    let outcome = Outcome::of(&mut tail);
    let command: u32 = said(&outcome)[0].parse().unwrap();
    assert_eq!(said(&outcome).len(), 1, "{outcome:?}");
    until("the end of the command", || !Path::new(&format!("/proc/{command}")).exists());
    let text = outcome.done();
    assert_eq!((retransmits(&text), text.lines().count()), (3, 5), "a capture line, three findings, a summary");
    assert_eq!(summary(&text)["kind"], "summary");
    assert_eq!(lab.tc(), before);
}

#[test]
#[ignore = "needs root: cargo xtask test --only lab"]
fn a_capture_ends_after_its_duration() {
    let lab = Lab::up("fully_random");
    let start = Instant::now();
    let outcome = Outcome::of(&mut lab.capture("tail", ALLOW, &["-o", "json", "--duration", "1s"]));
    let took = start.elapsed();
    assert!(took >= Duration::from_secs(1) && took < Duration::from_secs(10), "{took:?}");
    assert_eq!(said(&outcome), ["snatrace: no attempt matches --src"]);
    assert_eq!(summary(&outcome.done())["attempts"], 0);
}

#[test]
#[ignore = "needs root: cargo xtask test --only lab"]
fn a_capture_ends_with_its_command() {
    let lab = Lab::up("fully_random");
    let before = lab.tc();
    let outcome = Outcome::of(lab.capture("tail", ALLOW, &["-o", "json", "--exit-code", "--"]).args(Lab::traffic(40)));
    assert_eq!(outcome.code, Some(3), "something was flagged: {outcome:?}");
    assert_eq!(summary(&outcome.stdout)["attempts"], 40);

    let outcome = Outcome::of(&mut lab.capture("tail", ALLOW, &["--exit-code", "--", "sh", "-c", "exit 7"]));
    let expected = ["snatrace: the command ended with exit status: 7", "snatrace: no attempt matches --src"];
    assert_eq!(said(&outcome), expected);
    outcome.done();

    let outcome = Outcome::of(&mut lab.capture("tail", ALLOW, &["--", "/nonexistent/command"]));
    assert_eq!(outcome.code, Some(1));
    outcome.assert_one_line("cannot run /nonexistent/command");
    assert_eq!(lab.tc(), before);
}

#[test]
#[ignore = "needs root: cargo xtask test --only lab"]
fn a_reader_of_a_trace_that_has_seen_enough_is_no_error() {
    let lab = Lab::up("fully_random");
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    let mut record = lab.capture("record", ALLOW, &["-w", "-", "--", "sleep", "60"]);
    record.stdin(Stdio::null()).stdout(writer).stderr(Stdio::null());
    assert_eq!(wait(&mut end_with_us(&mut record).spawn().unwrap()).code(), Some(0));
}

#[test]
#[ignore = "needs root: cargo xtask test --only lab"]
fn a_reader_that_has_seen_enough_is_no_error() {
    let lab = Lab::up("fully_random");
    let before = lab.tc();
    let (reader, writer) = pipe().unwrap();
    let mut complaints = tempfile::tempfile().unwrap();
    let mut tail = lab.capture("tail", ALLOW, &["-o", "json", "--"]);
    tail.args(["sh", "-c", "while :; do \"$@\"; done", "sh"]).args(Lab::traffic(100)).stdin(Stdio::null());
    tail.stdout(writer).stderr(complaints.try_clone().unwrap());
    let mut tail = end_with_us(&mut tail).spawn().unwrap();
    let mut first = String::new();
    BufReader::new(reader).read_line(&mut first).unwrap();
    assert!(first.contains(r#""kind":"capture""#), "{first}");
    // The reader is gone now; no process reads the next finding.
    assert_eq!(wait(&mut tail).code(), Some(0));
    complaints.rewind().unwrap();
    let complaints: Vec<_> = BufReader::new(complaints).lines().map(Result::unwrap).collect();
    assert!(complaints.iter().all(|line| is_notice(line)), "{complaints:?}");
    assert_eq!(lab.tc(), before);
}

#[test]
#[ignore = "needs root: cargo xtask test --only lab"]
fn a_killed_demo_is_cleared_away_by_the_next() {
    let lab = Lab::up("fully_random");
    // Names and numbers of namespaces return, so this one is marked.
    let ip = |words: &[&str]| {
        let node = lab.node();
        let mut ip = Command::new("ip");
        ip.arg("-n").arg(node.file_name().unwrap()).args(["link"]).args(words);
        ip
    };
    let (mut mark, mut look) = (ip(&["add", "mark", "type", "bridge"]), ip(&["show", "mark"]));
    Outcome::of(&mut mark).done();
    Outcome::of(&mut look).done();
    kill(Pid::from_raw(lab.pid().cast_signed()), Signal::SIGKILL).unwrap();
    drop(lab);
    let _next = Lab::up("fully_random");
    assert_ne!(Outcome::of(&mut look).code, Some(0), "the namespace of the killed demo is still there");
}

#[test]
#[ignore = "needs root: cargo xtask test --only lab"]
fn the_end_of_standard_input_ends_a_capture_with_until_eof() {
    let lab = Lab::up("host");
    let directory = tempfile::tempdir().unwrap();
    let ready = directory.path().join("ready");
    let (stdin, connection) = pipe().unwrap();
    let mut tail = lab.capture("tail", ALLOW, &["--until-eof", "--ready-file"]);
    tail.arg(&ready).stdin(stdin).stdout(Stdio::null()).stderr(Stdio::null());
    let mut tail = end_with_us(&mut tail).spawn().unwrap();
    until("the ready file", || ready.exists());
    let attached = Attached::by(tail.id());
    assert!(attached.is_there() && tail.try_wait().unwrap().is_none(), "{attached:?}");
    drop(connection);
    assert!(wait(&mut tail).success());
    attached.wait_until_gone();
}
