//! `probe` in the lab: the range of a real filter, found to the port, also with loss; and what is no filter.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::process::Command;

use serde_json::Value;
use tests::lab::Lab;
use tests::process::Outcome;

/// Runs nft in the namespace of the lab's router.
fn on_router(lab: &Lab, rule: &str) {
    let router = lab.variable("ROUTER_NETNS").rsplit('/').next().unwrap();
    Outcome::of(Command::new("ip").args(["netns", "exec", router, "nft"]).args(rule.split(' '))).done();
}

/// Two of the lab's servers.
fn targets(lab: &Lab) -> [String; 2] {
    let number = lab.variable("SRC").split('.').nth(1).unwrap();
    [format!("10.{number}.192.10:8080"), format!("10.{number}.192.11:8081")]
}

/// What the probe says from the node: the inference, and its own line.
fn probe(lab: &Lab) -> [Value; 2] {
    let mut probe = lab.snatrace();
    probe.arg("probe").args(targets(lab)).args(["-o", "json", "--netns"]).arg(lab.node());
    let lines = Outcome::of(&mut probe).done();
    let mut lines = lines.lines().map(|line| serde_json::from_str(line).unwrap());
    [lines.next().unwrap(), lines.next().unwrap()]
}

const LOSS: &str = "add rule inet provider prerouting iifname node0 tcp flags syn numgen random mod 100 < 5 drop";

#[test]
#[ignore = "needs root: cargo xtask test --only lab"]
fn the_range_of_a_filter_is_found_to_the_port_also_with_loss() {
    for (scenario, range) in [("fully_random", "32768-65535"), ("other_range", "10000-19999")] {
        let lab = Lab::up(scenario);
        for _ in 0..2 {
            let [inference, probe] = probe(&lab);
            assert_eq!(
                (&inference["verdict"], &probe["allow"]),
                (&"class".into(), &range.into()),
                "{inference:#} {probe:#}"
            );
            assert!(probe["connections"].as_u64().unwrap() <= 300 && probe["source_ports"] == "kept", "{probe:#}");
            on_router(&lab, LOSS);
        }
    }
}

#[test]
#[ignore = "needs root: cargo xtask test --only lab"]
fn without_a_filter_or_with_a_rate_limit_no_range_is_found() {
    let lab = Lab::up("filter_fixed");
    let [inference, _] = probe(&lab);
    assert_eq!(inference["verdict"], "no_class", "{inference:#}");
    on_router(&lab, "insert rule inet provider prerouting iifname node0 tcp flags syn limit rate over 10/second drop");
    let [inference, probe] = probe(&lab);
    assert_ne!(inference["verdict"], "class", "{inference:#}");
    assert!(!probe["too_fast"].as_array().unwrap().is_empty(), "{probe:#}");
}

#[test]
#[ignore = "needs root: cargo xtask test --only lab"]
fn a_pod_whose_source_ports_change_is_noticed() {
    let lab = Lab::up("fully_random");
    let snatrace = lab.snatrace();
    let mut inside = Command::new("ip");
    inside.args(["netns", "exec", lab.node().file_name().unwrap().to_str().unwrap()]).arg(snatrace.get_program());
    inside.arg("probe").args(targets(&lab)).args(["--netns", lab.variable("POD_NETNS")]);
    let outcome = Outcome::of(&mut inside);
    assert_eq!(outcome.code, Some(1), "{outcome:#?}");
    assert!(outcome.stdout.contains("NAT on this node changes the source ports"), "{outcome:#?}");
}
