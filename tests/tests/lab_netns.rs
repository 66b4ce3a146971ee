//! `--netns` among other nodes on the same kernel, and with pods that are gone before their events are read.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed unwrap is a failed test")]

use std::process::Command;
use std::thread::scope;

use nix::sys::signal::Signal;
use serde_json::Value;
use tests::lab::{ALLOW, Lab};
use tests::process::{Outcome, Running, json};

/// A pod for each argument, which is how many seconds it lives. Each connects at once; its namespace goes as soon as its time is over.
const PODS: &str = r#"
pod() {
  ip netns add $1; ip link add eth0 netns $1 type veth peer name $1 netns $NODE
  ip -n $NODE link set $1 master cni0 up
  ip -n $1 address add $NET.1.$2/24 dev eth0; ip -n $1 link set eth0 up; ip -n $1 route add default via $NET.1.1
  ip netns exec $1 timeout $3 bash -c "exec 3<>/dev/tcp/$NET.192.10/8080; sleep $3"
  ip netns delete $1
}
NODE=$(basename $SNATRACE_LAB_NODE_NETNS); NET=10.${NODE//[!0-9]/}; at=100
for lives in "$@"; do pod $NODE-$at $at $lives & at=$((at + 1)); done
wait
"#;

fn pods(lab: &Lab, lives: &[&str]) {
    let mut shell = Command::new("bash");
    shell.args(["-c", PODS, "pods"]).args(lives).env("SNATRACE_LAB_NODE_NETNS", lab.variable("NODE_NETNS"));
    // A pod that reaches its server is ended too.
    drop(Outcome::of(&mut shell));
}

#[test]
#[ignore = "needs root: cargo xtask test --only lab"]
fn pods_that_are_gone_count_for_their_own_node_only() {
    let (lab, other) = (Lab::up("fully_random"), Lab::up("no_answer"));
    let mut command = lab.snatrace();
    command.args(["tail", "--all", "-o", "json", "--allow", ALLOW, "--netns", lab.variable("NODE_NETNS")]);
    let tail = Running::attached(&mut command);
    let long = ["1.2"; 16];
    scope(|scope| {
        scope.spawn(|| pods(&other, &[&["0.2"; 16], &long[..]].concat()));
        scope.spawn(|| pods(&lab, &[&["0.2"; 16], &long[..]].concat()));
    });
    tail.signal(Signal::SIGTERM);
    let outcome = tail.finish();
    assert_eq!(outcome.code, Some(0), "{outcome:#?}");
    let lines = json(&outcome.stdout);
    let of = |line: &Value, lab: &Lab| {
        let node = lab.node();
        let number = node.file_name().unwrap().to_str().unwrap().replace(|letter: char| !letter.is_ascii_digit(), "");
        line["src"].as_str().is_some_and(|src| src.starts_with(&format!("10.{number}.")))
    };
    let ended = || lines.iter().filter(|line| line["kind"] == "ended");
    assert_eq!(ended().filter(|line| of(line, &other)).count(), 0, "{}", outcome.stdout);
    // Each of those that were not answered within a second, and those that gave up earlier: their cause is that of what is known then.
    let (flagged, others): (Vec<_>, Vec<_>) = ended().partition(|line| line["flagged"] == true);
    assert!((2..=long.len()).contains(&flagged.len()), "{}", outcome.stdout);
    let gave_up = |line: &Value| line["retransmits"] == 0 && line["nat_port"].as_u64().is_some_and(|port| port < 32768);
    assert!(others.len() <= 16 && others.iter().all(|line| gave_up(line)), "{}", outcome.stdout);
    let summary = lines.last().unwrap();
    assert_eq!(summary["attempts"], 32, "{summary}");
}
