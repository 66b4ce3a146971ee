//! The conntrack table of a node in the lab: it names the filter's range where ports fail, and nothing where something else does.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::process::Command;
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tests::lab::Lab;
use tests::process::Outcome;

/// Longer than what counts as unanswered.
const SETTLE: Duration = Duration::from_secs(4);

/// Makes connections in the lab and returns what `doctor` says.
fn judgement(scenario: &str) -> (Lab, Value) {
    let lab = Lab::up(scenario);
    Outcome::of(&mut lab.client(&["-n", "400", "--truth", "/dev/null"])).done();
    thread::sleep(SETTLE);
    let mut doctor = lab.snatrace();
    doctor.args(["doctor", "--netns"]).arg(lab.node()).args(["--allow", lab.variable("ALLOW"), "-o", "json"]);
    let judgement = serde_json::from_str(&Outcome::of(&mut doctor).done()).unwrap();
    (lab, judgement)
}

fn seen(judgement: &Value) -> Vec<&Value> {
    judgement["checks"].as_array().unwrap().iter().filter(|check| check["id"] == "seen_now").collect()
}

#[test]
#[ignore = "needs root: cargo xtask test --only lab"]
fn a_node_that_fails_names_the_range_without_a_capture() {
    let (lab, judgement) = judgement("fully_random");
    assert_eq!(judgement["verdict"], "failing", "{judgement:#}");
    let seen = seen(&judgement);
    assert!(seen[0]["level"] == "problem" && seen[0]["summary"].as_str().unwrap().contains("32768"), "{seen:#?}");
    let mut infer = lab.snatrace();
    infer.args(["infer", "-o", "json", "--netns"]).arg(lab.node()).arg("--conntrack");
    let lines = Outcome::of(&mut infer).done();
    let first: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!((&first["verdict"], &first["likely"]), (&"class".into(), &"32768-65535".into()), "{lines}");
    // The tool's own output says the same, where it is installed.
    for arguments in [&["-L"][..], &["-L", "-o", "extended"]] {
        let mut list = Command::new("ip");
        list.args(["netns", "exec"]).arg(lab.node().file_name().unwrap()).arg("conntrack").args(arguments);
        let Ok(output) = list.output() else { continue };
        if !output.status.success() {
            println!("conntrack is not installed");
            continue;
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &output.stdout).unwrap();
        let mut infer = lab.snatrace();
        infer.args(["infer", "-o", "json", "--conntrack"]).arg(file.path());
        let lines = Outcome::of(&mut infer).done();
        let first: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
        assert_eq!((&first["verdict"], &first["likely"]), (&"class".into(), &"32768-65535".into()), "{lines}");
    }
}

#[test]
#[ignore = "needs root: cargo xtask test --only lab"]
fn where_ports_do_not_matter_nothing_is_concluded() {
    for scenario in ["preserved", "no_answer", "port_exhausted"] {
        let (_lab, judgement) = judgement(scenario);
        let seen = seen(&judgement);
        let levels: Vec<_> = seen.iter().map(|check| check["level"].as_str().unwrap()).collect();
        assert!(levels.iter().all(|level| ["ok", "note"].contains(level)), "{scenario}: {seen:#?}");
        assert_ne!(judgement["verdict"], "failing", "{scenario}: {judgement:#}");
        println!("{scenario}: {}", seen[0]["summary"]);
    }
}
