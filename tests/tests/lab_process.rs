//! Which process a connection belongs to: real processes in the namespace of a pod are named live, whatever they call themselves, and in
//! the replay.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;
use tests::capturing;
use tests::lab::{ALLOW, Connection, Lab, connection, connections};
use tests::process::{Outcome, json};

/// Names of processes, and how JSON has them: one fills its field, one could steer a terminal, one is no UTF-8.
const NAMES: [(&[u8], &str); 4] = [
    (b"curl", "curl"),
    (b"fifteen-bytes-x", "fifteen-bytes-x"),
    (b"\x1b[31m\n<td>&", "\u{1b}[31m\n<td>&"),
    (b"\xff\xfe\"$(id)", "\u{fffd}\u{fffd}\"$(id)"),
];

/// Clients of those names that connect at the same time in the pod's namespace.
struct Clients {
    directory: TempDir,
}

impl Clients {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    /// Each notes its process and what became of its connections.
    fn command(&self, lab: &Lab) -> Vec<OsString> {
        for (index, (name, _)) in NAMES.iter().enumerate() {
            let place = self.path(index, "");
            fs::create_dir(&place).unwrap();
            symlink(lab.variable("BIN"), place.join(OsStr::from_bytes(name))).unwrap();
        }
        let netns = Path::new(lab.variable("POD_NETNS")).file_name().unwrap();
        // `ip netns exec` becomes the client.
        let script = r#"cd "$1" && for i in 0 1 2 3; do
                ip netns exec "$2" "$1/$i/"* traffic --truth "$1/$i.truth" -n 25 & echo $! > "$1/$i.pid"
            done; wait"#;
        let words =
            ["sh".as_ref(), "-c".as_ref(), script.as_ref(), "sh".as_ref(), self.directory.path().as_os_str(), netns];
        words.map(OsStr::to_owned).to_vec()
    }

    fn path(&self, index: usize, suffix: &str) -> PathBuf {
        self.directory.path().join(format!("{index}{suffix}"))
    }

    /// Process ID and name of the connections that failed.
    fn failed(&self) -> BTreeMap<Connection, (u64, &'static str)> {
        let of = |(index, &(_, name)): (usize, &(&[u8], &'static str))| {
            let pid = fs::read_to_string(self.path(index, ".pid")).unwrap().trim().parse().unwrap();
            let truth = fs::read_to_string(self.path(index, ".truth")).unwrap();
            connections(&truth, |line| line["ok"] == false).into_iter().map(move |failed| (failed, (pid, name)))
        };
        NAMES.iter().enumerate().flat_map(of).collect()
    }

    fn assert_named(&self, printed: &str) {
        let failed = self.failed();
        assert!(failed.len() > 10, "{failed:?}");
        let mut named = 0;
        for line in json(printed).iter().filter(|line| line["kind"] == "retransmit") {
            let Some((pid, name)) = failed.get(&connection(line)) else { continue };
            let process = &line["process"];
            assert_eq!((process["pid"].as_u64(), process["command"].as_str()), (Some(*pid), Some(*name)), "{line}");
            named += 1;
        }
        assert!(named >= failed.len(), "{named} of {failed:?}: {printed}");
    }
}

#[test]
#[ignore = "needs root: cargo xtask test --only lab"]
fn each_process_is_named_by_a_capture_without_root() {
    let (lab, clients) = (Lab::up("fully_random"), Clients::new());
    let mut tail = lab.capture("tail", ALLOW, &["-o", "json", "--max-lines", "off", "--"]);
    let outcome = Outcome::of(tail.args(clients.command(&lab)));
    assert!(outcome.stderr.contains("privileges left: user 65534"), "{}", outcome.stderr);
    clients.assert_named(&outcome.done());
}

#[test]
#[ignore = "needs root: cargo xtask test --only lab"]
fn a_replay_names_the_processes_that_the_capture_named() {
    let (lab, clients) = (Lab::up("fully_random"), Clients::new());
    let trace = clients.directory.path().join("t.trace");
    let mut record = lab.capture("record", ALLOW, &["--print", "-o", "json", "-w"]);
    let printed = Outcome::of(record.arg(&trace).arg("--").args(clients.command(&lab))).done();
    clients.assert_named(&printed);
    let shown = |verb: &str, options: &[&str]| Outcome::of(capturing().arg(verb).arg(&trace).args(options)).done();
    assert!(shown("replay", &["-o", "json"]) == printed, "the replay prints something else");

    // What a process calls itself steers nothing.
    let text = shown("replay", &["--columns", "process,destination"]);
    assert!(text.contains(r"\u{1b}[31m\n<td>&/"), "{text}");
    let page = clients.directory.path().join("page.html");
    let report = shown("report", &["--html", page.to_str().unwrap()]) + &fs::read_to_string(page).unwrap();
    let table = shown("export", &["-o", "csv", "--all", "-w", "-"]);
    for (shown, what) in [(&text, "text"), (&report, "report"), (&table, "CSV")] {
        assert!(!shown.contains('\x1b') && !shown.contains('\u{fffd}'), "{what}");
    }
    assert!(report.contains("\nProcesses\n") && report.contains(r"\u{1b}[31m\n&lt;td&gt;&amp;"), "{report}");
    assert_eq!(report.matches("<td").count(), report.matches("</td>").count() + 1, "one is in the text");
    let rows: Vec<Value> = json(&shown("export", &["-o", "jsonl", "--all", "-w", "-"]));
    assert!(rows.iter().any(|row| row["command"] == NAMES[3].1 && row["pid"].is_u64()));
}
