//! What a capture cannot work with: one clear line, the right exit code, no panic.
//!
//! A kernel without nf_nat is no mistake: captures wait for it. Where it is built in, as on most test machines, that cannot
//! be tried; the kernel matrix begins without it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed unwrap is a failed test")]

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;
use tests::lab::Lab;
use tests::process::{Outcome, is_notice, summary, within};
use tests::{capturing, snatrace_lab};

/// A call as a shell makes it, in a mount namespace of its own that was changed before.
fn with_mounts(change: &str, call: &Command) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "sh", "-c"]).arg(format!("{change} && exec \"$@\"")).arg("sh");
    within(command, call)
}

fn tail(options: &[&str]) -> Command {
    let mut command = capturing();
    command.arg("tail").args(options).args(["--", "true"]);
    command
}

fn quoted(path: &Path) -> String {
    format!("'{}'", path.display())
}

#[test]
#[ignore = "needs root: cargo xtask test --only lab"]
fn an_interface_or_namespace_that_does_not_exist_is_named() {
    for (options, expected) in [
        (&["--iface", "nosuch0"][..], "unknown interface nosuch0: `ip link` lists"),
        (&["--iface", "a-name-much-too-long-for-linux"], "unknown interface a-name-much-too-long-for-linux"),
        (&["--iface", ""], "unknown interface"),
        (&["--netns", "/run/netns/nosuch"], "cannot open the network namespace /run/netns/nosuch"),
        (&["--netns", "/etc/passwd"], "network namespace /etc/passwd: EINVAL: Invalid argument: is it one?"),
        (&["--netns", "/tmp"], "network namespace /tmp: EINVAL: Invalid argument: is it one?"),
        (&["--netns", "/dev/null"], "network namespace /dev/null: EINVAL: Invalid argument: is it one?"),
        (&["--netns", "/proc/self/ns/mnt"], "/proc/self/ns/mnt: EINVAL: Invalid argument: is it one?"),
        (&["--ready-file", "/dev/null/ready"], "cannot create the ready file /dev/null/ready"),
    ] {
        Outcome::of(&mut tail(options)).assert_failed(1, expected);
    }
}

#[test]
#[ignore = "needs root: cargo xtask test --only lab"]
fn a_clock_that_events_do_not_have_is_refused() {
    let mut shifted = Command::new("unshare");
    shifted.args(["--time", "--fork", "--boottime", "86400"]);
    let outcome = Outcome::of(&mut within(shifted, &tail(&[])));
    outcome.assert_failed(1, "this time namespace shifts the time since boot by 86400 s");
}

#[test]
#[ignore = "needs root: cargo xtask test --only lab"]
fn a_kernel_without_btf_is_told_from_one_with_a_broken_one() {
    let call = tail(&[]);
    Outcome::of(&mut with_mounts("mount -t tmpfs none /sys/kernel/btf", &call))
        .assert_failed(1, "cannot read /sys/kernel/btf/vmlinux: this kernel was built without BTF");
    Outcome::of(&mut with_mounts("mount -t tmpfs none /sys", &call))
        .assert_failed(1, "No such file or directory (os error 2): is /sys mounted here, and readable?");
    for change in [
        "mount --bind /dev/null /sys/kernel/btf/vmlinux",
        "mount --bind /bin/sh /sys/kernel/btf/vmlinux",
        "mount -t tmpfs none /mnt && head -c 100000 /sys/kernel/btf/vmlinux >/mnt/cut && \
         mount --bind /mnt/cut /sys/kernel/btf/vmlinux",
    ] {
        let outcome = Outcome::of(&mut with_mounts(change, &call));
        outcome.assert_failed(1, "cannot understand /sys/kernel/btf/vmlinux: please report it with `uname -a`");
    }
}

#[test]
#[ignore = "needs root: cargo xtask test --only lab"]
fn a_trace_that_cannot_be_created_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().to_str().unwrap();
    for (file, expected) in [
        (format!("{place}/no/such/directory/t"), "cannot create"),
        (place.to_owned(), "cannot create"),
        ("/sys/t".to_owned(), "cannot create /sys/t: "),
        ("/proc/version".to_owned(), "failed to continue writing /proc/version: "),
    ] {
        let outcome = Outcome::of(capturing().args(["record", "-w", &file, "--", "true"]));
        assert_eq!(outcome.code, Some(1), "{file}: {outcome:?}");
        outcome.assert_one_line(expected);
    }
    let without_name = Outcome::of(capturing().args(["record", "-w", "", "--", "true"]));
    assert!(without_name.code == Some(2) && without_name.stderr.contains("--write <FILE>"), "{without_name:?}");
    Outcome::of(capturing().args(["record", "-w", "/dev/full", "--", "true"]))
        .assert_one_line("No space left on device");
}

/// Where the disk is full: a tmpfs with room for some blocks, in a mount namespace that ends with the recorder.
struct FullDisk {
    outcome: Outcome,
    directory: TempDir,
}

impl FullDisk {
    fn record(options: &str) -> Self {
        let lab = Lab::up("fully_random");
        let directory = tempfile::tempdir().unwrap();
        let here = quoted(directory.path());
        let script = format!(
            "mkdir {here}/disk && mount -t tmpfs -o size=64k none {here}/disk && \
             {{ \"$@\" -w {here}/disk/t {options} -- {} ; code=$?; cp {here}/disk/* {here}; exit $code; }}",
            Lab::traffic(5000).iter().map(|word| quoted(Path::new(word))).collect::<Vec<_>>().join(" "),
        );
        let call = lab.capture("record", "32768-65535", &[]);
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "sh", "-c", &script, "sh"]);
        Self { outcome: Outcome::of(&mut within(command, &call)), directory }
    }
}

#[test]
#[ignore = "needs root: cargo xtask test --only lab"]
fn a_full_disk_ends_the_recording_and_keeps_what_is_there() {
    let FullDisk { outcome, directory } = FullDisk::record("");
    outcome.assert_failed(1, "No space left on device");
    let said = outcome.stderr.lines().find(|line| !is_notice(line)).unwrap();
    assert!(said.contains("were written and can be replayed, make room and record again"), "{said}");
    let replayed = Outcome::of(capturing().args(["replay", "-o", "json"]).arg(directory.path().join("t")));
    // As many as the recorder said, and no torn tail: what did not fit was taken back.
    let (_, events) = said.split_once("; ").unwrap();
    let events = events.split(' ').next().unwrap();
    assert!(replayed.stderr.contains(&format!("read {events} events in ")), "{said}\n{}", replayed.stderr);
    assert!(!replayed.stderr.contains("left out"), "{}", replayed.stderr);
    let summary = summary(&replayed.done());
    assert!(summary["attempts"].as_u64() > Some(100), "{summary}");
}

#[test]
#[ignore = "needs root: cargo xtask test --only lab"]
fn a_demo_whose_capture_fails_judges_nothing() {
    for format in ["text", "json"] {
        let mut demo = snatrace_lab();
        demo.env("SNATRACE_BIN", "/bin/false").args(["demo", "-n", "1", "-o", format]);
        let outcome = Outcome::of(&mut demo);
        assert_eq!(outcome.code, Some(1), "{outcome:#?}");
        assert!(outcome.stderr.contains("snatrace-lab: the capture failed (exit status: 1)"), "{outcome:#?}");
        assert!(!["PASS", "FAIL", "\"right\""].iter().any(|verdict| outcome.stdout.contains(verdict)), "{outcome:#?}");
    }
}
