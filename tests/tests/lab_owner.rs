//! Who attempts belong to: real clients in a real control group and namespace of a pod are named live, in the trace, in its replay and
//! in reports; where there are no pods, no owner is named.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;
use tests::capturing;
use tests::lab::{ALLOW, Lab};
use tests::process::{Outcome, json, summary};

const POD: &str = "checkout-7d9f8b6c5d-x2x4z";

/// A client whose process itself is in the first pod's namespace and control group, as one that a runtime has started.
fn client(lab: &Lab, connections: u32) -> Vec<OsString> {
    client_in(lab, Path::new(lab.variable("POD_CGROUP")), Path::new(lab.variable("POD_NETNS")), connections)
}

fn client_in(lab: &Lab, group: &Path, netns: &Path, connections: u32) -> Vec<OsString> {
    // `ip netns exec` hides the control groups, so they come first.
    let script = format!(
        "echo $$ > {}/cgroup.procs && exec ip netns exec {} {} traffic --truth /dev/null -n {connections}",
        group.display(),
        netns.file_name().unwrap().display(),
        lab.variable("BIN")
    );
    ["sh", "-c", &script].map(OsString::from).to_vec()
}

/// The group that holds all groups of the lab.
fn top(lab: &Lab) -> PathBuf {
    let group = Path::new(lab.variable("POD_CGROUP"));
    group.ancestors().find(|path| path.ends_with("kubepods")).unwrap().parent().unwrap().to_owned()
}

struct Recording {
    printed: String,
    /// On standard error.
    stderr: String,
    directory: TempDir,
}

impl Recording {
    fn of(lab: &Lab, root: &str, client: &[OsString], options: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut record = lab.capture("record", ALLOW, &["--print", "--host-root", root, "-w"]);
        record.arg(directory.path().join("t")).args(options).arg("--").args(client);
        let outcome = Outcome::of(&mut record);
        let stderr = outcome.stderr.clone();
        Self { printed: outcome.done(), stderr, directory }
    }

    fn trace(&self) -> PathBuf {
        self.directory.path().join("t")
    }

    fn shown(&self, verb: &str, options: &[&str]) -> String {
        Outcome::of(capturing().arg(verb).arg(self.trace()).args(options)).done()
    }
}

fn lines(text: &str) -> Vec<Value> {
    json(text).into_iter().filter(|line| line["kind"] == "retransmit" || line["kind"] == "ended").collect()
}

fn attempts(text: &str) -> u64 {
    summary(text)["attempts"].as_u64().unwrap()
}

fn names(line: &Value) -> [Option<&str>; 3] {
    ["namespace", "pod", "container"].map(|field| line[field].as_str())
}

#[test]
#[ignore = "needs root: cargo xtask test --only lab"]
fn a_pods_client_is_named_from_its_first_line_on_and_in_the_replay() {
    let lab = Lab::up("fully_random");
    let json = ["-o", "json", "--all"];
    let recording = Recording::of(&lab, lab.variable("HOST_ROOT"), &client(&lab, 60), &json);
    let found = lines(&recording.printed);
    assert!(found.len() > 20, "{}", recording.printed);
    for line in &found {
        assert_eq!(names(line), [Some("shop"), Some(POD), Some("app")], "{line}");
    }
    assert!(recording.shown("replay", &json) == recording.printed, "the replay prints something else");

    for (options, expected) in [
        (&["--pod", POD][..], 60),
        (&["--namespace", "other", "--namespace", "shop"], 60),
        (&["--namespace", "other"], 0),
        (&["--pod", POD, "--namespace", "blog"], 0),
        (&["--pod", "checkout"], 0),
    ] {
        let shown = recording.shown("replay", &[options, &["-o", "json"]].concat());
        assert_eq!((attempts(&shown), lines(&shown).is_empty()), (expected, expected == 0), "{options:?}: {shown}");
    }
    assert_report(&recording);
}

fn assert_report(recording: &Recording) {
    let page = recording.directory.path().join("page.html");
    let text = recording.shown("report", &["--html", page.to_str().unwrap()]);
    for expected in ["\nNamespaces\n", "\nshop                              60 ", "\nPods\n", "\nshop/checko…"] {
        assert!(text.contains(expected), "{expected:?} is not in {text}");
    }
    assert!(std::fs::read_to_string(page).unwrap().contains(&format!("shop/{POD}")));
}

#[test]
#[ignore = "needs root: cargo xtask test --only lab"]
fn text_with_names_is_replayed_byte_for_byte_and_fits_the_page() {
    let lab = Lab::up("fully_random");
    let recording = Recording::of(&lab, lab.variable("HOST_ROOT"), &client(&lab, 60), &["--pod", POD]);
    assert!(recording.printed.contains(" shop/checkout-7d9f…c5d-x2x4z "), "{}", recording.printed);
    assert!(recording.printed.lines().all(|line| line.chars().count() <= 120), "{}", recording.printed);
    assert!(recording.shown("replay", &[]) == recording.printed, "the replay prints something else");
    assert_eq!(recording.printed.matches("TIME ").count(), 1, "{}", recording.printed);
}

#[test]
#[ignore = "needs root: cargo xtask test --only lab"]
fn two_pods_are_told_apart_and_a_container_among_several_is_not_named() {
    let lab = Lab::up("preserved_clash");
    let options = ["-o", "json", "--all"];
    let recording = Recording::of(&lab, lab.variable("HOST_ROOT"), &Lab::traffic(80), &options);
    let second = recording.shown("replay", &[&options[..], &["--pod", "worker-0"]].concat());
    let first = recording.shown("replay", &[&options[..], &["--namespace", "shop"]].concat());
    assert_eq!((attempts(&first), attempts(&second), attempts(&recording.printed)), (40, 40, 80));
    assert!(!lines(&second).is_empty(), "{second}");
    for line in lines(&second) {
        assert_eq!(names(&line), [Some("blog"), Some("worker-0"), None], "{line}");
        assert!(line["src"].as_str().unwrap().ends_with(".1.11"), "{line}");
    }
}

#[test]
#[ignore = "needs root: cargo xtask test --only lab"]
fn a_container_of_docker_is_named_even_if_its_last_process_has_ended() {
    let lab = Lab::up("host");
    let id = "d0cce4".repeat(11)[..64].to_owned();
    let group = top(&lab).join("docker").join(&id);
    std::fs::create_dir_all(&group).unwrap();
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().join("var/lib/docker/containers").join(&id);
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::write(directory.join("config.v2.json"), r#"{"Name":"/gateway"}"#).unwrap();
    std::os::unix::fs::symlink("/proc", root.path().join("proc")).unwrap();

    let client = client_in(&lab, &group, &lab.node(), 40);
    let recording = Recording::of(&lab, root.path().to_str().unwrap(), &client, &["-o", "json", "--all"]);
    let found = lines(&recording.printed);
    assert!(found.iter().any(|line| line["kind"] == "ended"), "{}", recording.printed);
    for line in &found {
        assert_eq!(names(line), [None, None, Some("gateway")], "{line}");
    }
    assert!(recording.shown("report", &[]).contains("\ngateway "));
}

#[test]
#[ignore = "needs root: cargo xtask test --only lab"]
fn where_there_are_no_pods_nobody_is_named() {
    let lab = Lab::up("fully_random");
    let empty = tempfile::tempdir().unwrap();
    // Nothing to learn from; a machine without names for the lab's pods.
    for root in [empty.path().to_str().unwrap(), "/"] {
        let recording = Recording::of(&lab, root, &client(&lab, 20), &["-o", "json", "--all"]);
        let found = lines(&recording.printed);
        assert!(!found.is_empty(), "{}", recording.printed);
        for line in &found {
            assert_eq!(names(line), [None; 3], "{line}");
            assert!(line.get("pod").is_some_and(Value::is_null), "{line}");
        }
        let report = recording.shown("report", &[]);
        assert_eq!(recording.stderr.contains("snatrace: owner is off: "), root != "/", "{}", recording.stderr);
        assert!(!report.contains("\nPods\n") && !report.contains("\nNamespaces\n"), "{report}");
    }
}

#[test]
#[ignore = "needs root: cargo xtask test --only lab"]
fn a_lab_leaves_no_control_group_behind() {
    let lab = Lab::up("fully_random");
    let top = top(&lab);
    assert!(top.exists());
    drop(lab);
    assert!(!top.exists(), "{}", top.display());
}
