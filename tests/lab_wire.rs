//! Without a word of the sockets, as where the kernel skipped those programs: what NAT and the wire tell is enough.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed unwrap is a failed test")]

use std::fs;
use std::path::Path;

use serde_json::Value;
use snatrace::store::{Reader, Writer};
use tests::capturing;
use tests::lab::Lab;
use tests::process::Outcome;
use tracer_common::events::Event;

const ALLOW: &str = "32768-65535";

/// How many connections failed, and how many attempts are flagged without what the sockets told.
fn failed_and_flagged(scenario: &str) -> (usize, u64) {
    let lab = Lab::up(scenario);
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let mut record = lab.capture("record", ALLOW, &["-w"]);
    record.arg(path("whole")).arg("--").arg(tests::binary());
    record.args(["traffic", "-n", "200", "--truth"]).arg(path("truth"));
    Outcome::of(&mut record).done();

    let truths = fs::read_to_string(path("truth")).unwrap();
    let truths = truths.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let failed = truths.filter(|truth| truth["ok"] == false).count();
    assert!(without_sockets(&path("whole"), &path("wire")) >= failed, "the sockets told of nothing anyway");
    let replayed = Outcome::of(capturing().args(["replay", "-o", "json"]).arg(path("wire"))).done();
    let summary: Value = serde_json::from_str(replayed.lines().last().unwrap()).unwrap();
    (failed, summary["flagged_attempts"].as_u64().unwrap())
}

/// Copies a trace but for what sockets told, and says how much that was.
fn without_sockets(whole: &Path, wire: &Path) -> usize {
    let mut reader = Reader::open(whole).unwrap();
    let mut writer = Writer::create(wire, reader.capture()).unwrap();
    let (mut batch, mut left_out) = (Vec::new(), 0);
    while reader.read(4096, 0, &mut batch).unwrap() {
        for (_, event) in batch.drain(..) {
            if matches!(event, Event::SynRetransmit(_) | Event::SockState(_)) {
                left_out += 1;
            } else {
                writer.write(&event).unwrap();
            }
        }
    }
    writer.finish().unwrap();
    left_out
}

#[test]
#[ignore = "needs root: cargo xtask test --only lab"]
fn the_nodes_own_sockets_are_not_flagged() {
    let (failed, flagged) = failed_and_flagged("host");
    assert!(failed > 0 && flagged == 0, "{failed} failed, {flagged} flagged");
}

#[test]
#[ignore = "needs root: cargo xtask test --only lab"]
fn what_nat_translated_is_flagged() {
    let (failed, flagged) = failed_and_flagged("fully_random");
    assert!(failed > 0 && flagged == failed as u64, "{failed} failed, {flagged} flagged");
}
