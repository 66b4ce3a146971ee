//! Without root: what is missing is named, three capabilities are enough to capture, and one more names the pods.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::sys::signal::Signal;
use tempfile::TempDir;
use tests::lab::Lab;
use tests::process::{Outcome, Running, json, until};
use tests::{binary, capturing};

/// One test at a time: a capture of the same user is a process that one without privileges may look at.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A directory that everybody may use, with a copy of the binary that everybody may run.
struct Place(TempDir, #[expect(dead_code, reason = "held as long as the place")] MutexGuard<'static, ()>);

impl Place {
    fn new() -> Self {
        let alone = alone();
        let directory = tempfile::tempdir().unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).unwrap();
        for name in ["snatrace", "snatrace-lab"] {
            fs::copy(binary().with_file_name(name), directory.path().join(name)).unwrap();
        }
        Self(directory, alone)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A call by an unprivileged user with only these capabilities, such as `+bpf`, in a network namespace.
    fn unprivileged(&self, capabilities: &[&str], netns: &Path) -> Command {
        self.nobody_runs("snatrace", capabilities, netns)
    }

    fn nobody_runs(&self, program: &str, capabilities: &[&str], netns: &Path) -> Command {
        let set = [&["-all"], capabilities].concat().join(",");
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", netns.display()));
        command.args(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]);
        command.args(["--inh-caps", "--ambient-caps", "--bounding-set"].map(|option| format!("{option}={set}")));
        command.arg(self.path(program)).env_remove("SNATRACE_ALLOW").env("NO_COLOR", "1");
        command
    }
}

const OWN: &str = "/proc/self/ns/net";
const LIVE_CAPABILITIES: &[&str] = &["+bpf", "+perfmon", "+net_admin"];

#[test]
#[ignore = "needs root: cargo xtask test --only lab"]
fn who_is_not_root_is_told_what_is_missing() {
    let place = Place::new();
    let unprivileged = |options: &[&str]| Outcome::of(place.unprivileged(&[], Path::new(OWN)).args(options));
    let missing = "CAP_BPF and CAP_PERFMON and CAP_NET_ADMIN missing: run it as root (sudo)";
    unprivileged(&["tail", "--", "true"]).assert_failed(1, missing);
    let trace = place.path("t");
    unprivileged(&["record", "-w", trace.to_str().unwrap(), "--", "true"]).assert_failed(1, missing);
    assert!(!trace.exists(), "an unused trace is left behind");
    let demo = |options: &[&str]| {
        Outcome::of(place.nobody_runs("snatrace-lab", &[], Path::new(OWN)).arg("demo").args(options))
    };
    let refused = demo(&[]);
    assert!(refused.code == Some(1) && refused.stderr.contains("the lab needs root"), "{refused:#?}");
    // What needs no privileges works.
    assert!(demo(&["--list"]).done().contains("fully_random"));
}

#[test]
#[ignore = "needs root: cargo xtask test --only lab"]
fn too_few_file_descriptors_are_said_so_in_one_line() {
    let _alone = alone();
    let lab = Lab::up("fully_random");
    let call = |files: u32| {
        let mut call = Command::new("nsenter");
        call.arg(format!("--net={}", lab.node().display())).arg("prlimit").arg(format!("--nofile={files}"));
        call.arg(binary()).args(["tail", "-q", "-o", "json", "--", "true"]);
        Outcome::of(&mut call)
    };
    // With fewer the loader cannot open a library.
    let mut files = 5;
    loop {
        let Outcome { code, stderr, .. } = call(files);
        if code == Some(0) {
            break;
        }
        let last = stderr.lines().last().unwrap_or_default();
        assert!(last.contains("too few file descriptors") && last.contains("ulimit -n"), "{files}: {stderr}");
        files += if files < 24 { 1 } else { 5 };
        assert!(files < 200, "{stderr}");
    }
    assert!(files > 20, "the limit did not matter");
}

#[test]
#[ignore = "needs root: cargo xtask test --only lab"]
fn three_capabilities_are_enough_where_it_was_started() {
    let lab = Lab::up("fully_random");
    let place = Place::new();
    let ready = place.path("ready");
    let mut call = place.unprivileged(LIVE_CAPABILITIES, &lab.node());
    call.args(["tail", "--all", "-o", "json", "--src", lab.variable("SRC"), "--ready-file"]).arg(&ready);
    let _ = lab.play(Running::start(&mut call), &ready, Signal::SIGINT);
}

#[test]
#[ignore = "needs root: cargo xtask test --only lab"]
fn another_namespace_and_the_names_of_pods_take_one_more() {
    let place = Place::new();
    let lab = Lab::up("fully_random");
    let tail = |capabilities: &[&str], options: &[&str]| {
        let mut call = place.unprivileged(&[LIVE_CAPABILITIES, capabilities].concat(), Path::new(OWN));
        Outcome::of(call.arg("tail").args(options).args(["--", "true"]))
    };
    let node = lab.node();
    let other = ["--netns", node.to_str().unwrap()];
    let refused = format!("cannot enter the network namespace {}: EPERM: Operation not permitted: ", node.display());
    tail(&["+sys_ptrace"], &other).assert_failed(1, &(refused + "entering another one takes CAP_SYS_ADMIN"));
    tail(&["+sys_admin"], &other).done();

    let unknown = "owner is off: ";
    let said = |capabilities: &[&str]| tail(capabilities, &[]).stderr;
    assert!(said(&[]).contains(unknown) && said(&[]).contains("CAP_SYS_PTRACE"), "{}", said(&[]));
    assert!(!said(&["+sys_ptrace"]).contains(unknown));
    let root = Outcome::of(capturing().args(["tail", "--", "true"]));
    assert!(!root.stderr.contains(unknown), "{}", root.stderr);
}

#[test]
#[ignore = "needs root: cargo xtask test --only lab"]
fn the_processes_of_other_users_take_one_more() {
    let lab = Lab::up("fully_random");
    let place = Place::new();
    for (more, is_named) in [("-sys_ptrace", false), ("+sys_ptrace", true)] {
        let ready = place.path(more);
        let mut call = place.unprivileged(&[LIVE_CAPABILITIES, &[more]].concat(), &lab.node());
        call.args(["tail", "--all", "-o", "json", "--src", lab.variable("SRC"), "--ready-file"]).arg(&ready);
        let (outcome, _) = lab.play(Running::start(&mut call), &ready, Signal::SIGINT);
        let named = json(&outcome.stdout).iter().filter(|line| line["process"]["command"] == "snatrace-lab").count();
        assert_eq!(named > 0, is_named, "{more}: {outcome:#?}");
    }
}

/// /proc/PID/status, which says what a process or a thread may do; `None` once it has ended.
fn status(pid: u32) -> Option<String> {
    fs::read_to_string(format!("/proc/{pid}/status")).ok()
}

fn field<'a>(status: &'a str, name: &str) -> &'a str {
    status.lines().find_map(|line| line.strip_prefix(name)).unwrap().split_whitespace().next().unwrap()
}

/// Bits of `CapEff` (linux/capability.h).
const DAC_OVERRIDE: u64 = 1 << 1;
const DAC_READ_SEARCH: u64 = 1 << 2;
const NET_ADMIN: u64 = 1 << 12;
const SYS_PTRACE: u64 = 1 << 19;
const PERFMON: u64 = 1 << 38;
const BPF: u64 = 1 << 39;
const KEPT: u64 = DAC_READ_SEARCH | NET_ADMIN | SYS_PTRACE | PERFMON | BPF;

/// Checks that every thread of a running capture is confined; returns its user.
fn confined(running: &Running, more: u64) -> String {
    let pid = running.pid();
    for thread in fs::read_dir(format!("/proc/{pid}/task")).unwrap() {
        let thread = thread.unwrap().file_name().to_str().unwrap().parse().unwrap();
        until("the thread is confined", || status(thread).is_none_or(|status| field(&status, "Seccomp:") == "2"));
        let Some(status) = status(thread) else { continue };
        assert_eq!(field(&status, "NoNewPrivs:"), "1");
        for set in ["CapEff:", "CapPrm:", "CapInh:", "CapBnd:", "CapAmb:"] {
            let held = u64::from_str_radix(field(&status, set), 16).unwrap();
            assert_eq!(held & !(KEPT | more), 0, "{set} has {held:x}");
        }
    }
    field(&status(pid).unwrap(), "Uid:").to_owned()
}

#[test]
#[ignore = "needs root: cargo xtask test --only lab"]
fn a_running_capture_keeps_what_it_needs_and_no_more() {
    let _alone = alone();
    let lab = Lab::up("fully_random");
    let directory = tempfile::tempdir().unwrap();
    let start = |options: &[&str]| {
        let mut call = Command::new("nsenter");
        call.arg(format!("--net={}", lab.node().display())).arg(binary());
        Running::attached(call.args(options))
    };
    let tail = start(&["tail", "--metrics", "127.0.0.1:0"]);
    assert_eq!(confined(&tail, 0), "65534");
    let trace = directory.path().join("trace");
    let record = start(&["record", "-w", trace.to_str().unwrap()]);
    assert_eq!(confined(&record, DAC_OVERRIDE), "0");
    for running in [tail, record] {
        running.signal(Signal::SIGINT);
        running.finish().done();
    }
    // COMMAND has the privileges of its caller, and ends with the capture.
    let mut call = Command::new(binary());
    call.args(["tail", "--duration", "1s", "--", "sh", "-c", "grep CapEff /proc/self/status >&2; exec sleep 60"]);
    let outcome = Outcome::of(&mut call);
    let own = status(std::process::id()).unwrap();
    let own = field(&own, "CapEff:");
    assert!(outcome.stderr.contains(&format!("CapEff:\t{own}")), "{outcome:#?}");
    assert!(outcome.stderr.contains("CAP_DAC_READ_SEARCH CAP_KILL"), "{outcome:#?}");
    outcome.done();
}
