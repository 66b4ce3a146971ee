//! `doctor` on a node where firewalld really runs: the rule is found, its writer named, and what is predicted happens.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::process::{Command, Stdio};

use serde_json::Value;
use tests::lab::Lab;
use tests::process::{Outcome, Running, until};

/// firewalld with a bus of its own. It ends when the test does, and after a minute in any case.
const START: &str = r#"
dbus-daemon --system --nofork --nopidfile --address=unix:path=$DIR/bus 2> $DIR/bus.log & bus=$!
export DBUS_SYSTEM_BUS_ADDRESS=unix:path=$DIR/bus
while [ ! -S $DIR/bus ]; do sleep 0.1; done
timeout 60 firewalld --nofork --nopid > $DIR/firewalld.log 2>&1 & firewall=$!
trap 'kill $firewall $bus; wait' EXIT TERM
until firewall-cmd --state > $DIR/state 2>&1; do sleep 0.2; done
firewall-cmd --zone=trusted --add-interface=cni0
firewall-cmd --zone=public --add-interface=eth0
firewall-cmd --zone=public --add-masquerade
touch $DIR/ready
wait $firewall
"#;

fn is_installed() -> bool {
    let has =
        |tool: &str| Command::new(tool).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    has("firewalld") && has("dbus-daemon")
}

#[test]
#[ignore = "needs root: cargo xtask test --only lab"]
fn the_rule_of_a_running_firewalld_is_found() {
    if !is_installed() {
        println!("firewalld is not installed");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let lab = Lab::up("preserved");
    let mut start = Command::new("ip");
    start.args(["netns", "exec"]).arg(lab.node().file_name().unwrap()).args(["bash", "-euc", START]);
    let firewalld = Running::start(start.env("DIR", directory.path()));
    until("firewalld", || directory.path().join("ready").exists());
    let mut doctor = lab.snatrace();
    doctor.args(["doctor", "--netns"]).arg(lab.node()).args(["--allow", lab.variable("ALLOW"), "-o", "json"]);
    let judgement: Value = serde_json::from_str(&Outcome::of(&mut doctor).done()).unwrap();
    firewalld.signal(nix::sys::signal::Signal::SIGTERM);
    let rules = judgement["checks"].as_array().unwrap().iter().filter(|check| check["rule"]["owner"] == "firewalld");
    let rules: Vec<&Value> = rules.collect();
    assert!(!rules.is_empty(), "{judgement:#}");
    for rule in rules {
        assert!(rule["rule"]["mode"] == "preserved" && rule["level"] == "note", "{rule:#}");
    }
}
