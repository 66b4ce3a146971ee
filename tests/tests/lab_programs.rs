//! `doctor` on a node where firewalld or Docker really runs: its rule is found, judged, and its writer named.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::process::{Command, Stdio};

use nix::sys::signal::Signal;
use serde_json::Value;
use tests::lab::Lab;
use tests::process::{Outcome, Running, until};

/// firewalld with a bus of its own. Both end when the test does, and after a minute in any case.
const FIREWALLD: &str = r#"
timeout 60 dbus-daemon --system --nofork --nopidfile --address=unix:path=$DIR/bus 2> $DIR/bus.log & bus=$!
export DBUS_SYSTEM_BUS_ADDRESS=unix:path=$DIR/bus
while [ ! -S $DIR/bus ]; do sleep 0.1; done
timeout 60 firewalld --nofork --nopid > $DIR/log 2>&1 & program=$!
trap 'kill $program $bus; wait' EXIT TERM
until firewall-cmd --state > $DIR/state 2>&1; do sleep 0.2; done
firewall-cmd --zone=trusted --add-interface=cni0
firewall-cmd --zone=public --add-interface=eth0
firewall-cmd --zone=public --add-masquerade
touch $DIR/ready
wait $program
"#;

/// Docker's daemon alone, with its files in a directory of its own and cgroups that no other process sees.
const DOCKER: &str = r#"
mount -t tmpfs cgroups /sys/fs/cgroup
for name in devices cpu memory cpuset pids blkio freezer; do
    mkdir -p /sys/fs/cgroup/$name
    mount -t cgroup -o $name cgroup /sys/fs/cgroup/$name 2> $DIR/mount.log || rmdir /sys/fs/cgroup/$name
done
timeout 60 dockerd --data-root $DIR/data --exec-root $DIR/exec -H unix://$DIR/sock --pidfile $DIR/pid \
    --storage-driver vfs > $DIR/log 2>&1 & program=$!
trap 'kill $program; wait' EXIT TERM
until grep -q 'API listen on' $DIR/log; do sleep 0.2; done
touch $DIR/ready
wait $program
"#;

fn is_installed(tools: &[&str]) -> bool {
    let has = |tool: &&str| {
        let mut version = Command::new(tool);
        version.arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
    };
    let all = tools.iter().all(has);
    if !all {
        println!("SKIPPED: not installed: {} (where systemd runs, installing would start them)", tools.join(", "));
    }
    all
}

/// The rules of a program that runs on the lab's node, as `doctor` judges them.
fn rules_of(owner: &str, script: &str) -> Vec<Value> {
    let directory = tempfile::tempdir().unwrap();
    let lab = Lab::up("preserved");
    let mut start = Command::new("ip");
    start.args(["netns", "exec"]).arg(lab.node().file_name().unwrap());
    start.args(["unshare", "-m", "bash", "-euc", script]).env("DIR", directory.path());
    let program = Running::start(&mut start);
    until(owner, || directory.path().join("ready").exists());
    let mut doctor = lab.snatrace();
    doctor.args(["doctor", "--netns"]).arg(lab.node()).args(["--allow", lab.variable("ALLOW"), "-o", "json"]);
    let judgement: Value = serde_json::from_str(&Outcome::of(&mut doctor).done()).unwrap();
    program.signal(Signal::SIGTERM);
    program.finish();
    let checks = judgement["checks"].as_array().unwrap().iter();
    let rules: Vec<Value> = checks.filter(|check| check["rule"]["owner"] == owner).cloned().collect();
    assert!(!rules.is_empty(), "{judgement:#}");
    rules
}

fn assert_preserved(rules: &[Value]) {
    for rule in rules {
        assert!(
            rule["rule"]["mode"] == "preserved" && ["note", "ok"].contains(&rule["level"].as_str().unwrap()),
            "{rule:#}"
        );
    }
}

#[test]
#[ignore = "needs root: cargo xtask test --only lab"]
fn the_rule_of_a_running_firewalld_is_found() {
    if is_installed(&["firewalld", "dbus-daemon"]) {
        assert_preserved(&rules_of("firewalld", FIREWALLD));
    }
}

#[test]
#[ignore = "needs root: cargo xtask test --only lab"]
fn the_rule_of_a_running_docker_is_found() {
    if is_installed(&["dockerd"]) {
        assert_preserved(&rules_of("docker", DOCKER));
    }
}
