//! The command line of `snatrace-lab`: mistakes, and what needs no root.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::process::{Command, Output};

fn snatrace_lab(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_snatrace-lab")).args(args).output().unwrap()
}

fn stdout(args: &[&str]) -> String {
    let output = snatrace_lab(args);
    assert!(output.status.success(), "{args:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_mistake_is_wrong_usage_that_says_what_is_right() {
    for (args, expected) in [
        (&["demo", "nosuch"][..], "there is no scenario nosuch: choose one of fully_random, "),
        (&["demo", "forwarded", "--ipv6"], "--ipv6: the raw client of forwarded speaks IPv4 only"),
        (&["demo", "-n", "0"], "0 is not in 1..=1000000"),
    ] {
        let output = snatrace_lab(args);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(2), &b""[..]), "{args:?}: {stderr}");
        assert!(stderr.contains(expected), "{args:?}: {stderr}");
    }
}

#[test]
fn every_scenario_is_listed() {
    let list = stdout(&["demo", "--list"]);
    for scenario in snatrace_lab::scenarios::ALL {
        assert!(list.lines().any(|line| line.split(' ').next() == Some(scenario.name)), "{} in {list}", scenario.name);
    }
}
