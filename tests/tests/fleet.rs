//! Thousands of files at once, by a process that may open 256 of them: each is read, in bounded memory.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::fs;
use std::path::Path;
use std::process::Command;

use nix::sys::resource::{UsageWho, getrusage};
use serde_json::Value;
use snatrace::model::{Capture, OwnerAt};
use snatrace::store::{BATCH, Reader, Writer};
use tempfile::TempDir;
use tests::process::{json, summary};

const NODES: u32 = 10_000;
const PODS: u32 = 40;
const MAX_KIB: i64 = 1_000_000_000 / 1024;

/// What the command prints as JSON of all files in the directory.
fn run(command: &[&str], directory: &Path) -> String {
    let binary = tests::snatrace(env!("CARGO_BIN_EXE_snatrace-under-test")).get_program().to_owned();
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -n 256; exec \"$@\"", "sh"]).arg(binary).args(command).args(["-o", "json"]);
    let mut files: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    files.sort();
    let output = shell.args(files).current_dir(directory).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
#[ignore = "needs the release binary: takes minutes without optimisation"]
fn traces_of_ten_thousand_nodes_are_read_at_once_in_a_gigabyte() {
    let directory = TempDir::new().unwrap();
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/golden/fully_random-wire.trace");
    let mut reader = Reader::open(Path::new(golden)).unwrap();
    let mut events = Vec::new();
    while reader.blocks.read(BATCH, 0, &mut events).unwrap() {}
    for node in 0..NODES {
        let owner = |pod| OwnerAt { netns: 1 + pod, since_ns: 0, owner: format!("shop/checkout-{node}-{pod}/app") };
        let owners = (0..PODS).map(owner).collect();
        let capture = Capture { node: format!("node-{node}"), owners, ..reader.capture.clone() };
        let mut writer = Writer::create(&directory.path().join(format!("{node}.trace")), &capture).unwrap();
        events.iter().for_each(|(_, event)| writer.write(event).unwrap());
        writer.finish().unwrap();
    }
    let of_one = summary(
        &tests::process::Outcome::of(
            tests::snatrace(env!("CARGO_BIN_EXE_snatrace-under-test")).args(["replay", "-o", "json", golden]),
        )
        .done(),
    );
    let of_all = summary(&run(&["replay", "--quiet"], directory.path()));
    assert_eq!(of_all["attempts"].as_u64(), Some(of_one["attempts"].as_u64().unwrap() * u64::from(NODES)));
    run(&["report"], directory.path());
    let peak = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap().max_rss();
    assert!(peak < MAX_KIB, "{peak} KiB");
}

#[test]
fn hundreds_of_packet_captures_are_read_at_once() {
    let directory = TempDir::new().unwrap();
    for file in 0..600_u16 {
        fs::write(directory.path().join(format!("{file:03}.pcap")), syn(file)).unwrap();
    }
    let lines = json(&run(&["replay", "--quiet"], directory.path()));
    assert_eq!(lines.last().unwrap()["attempts"], Value::from(600));
}

/// A packet capture of one SYN: raw IPv4, one second after the one before.
fn syn(number: u16) -> Vec<u8> {
    let mut packet = vec![0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 198, 51, 100, 7, 203, 0, 113, 80];
    packet.extend((40_000 + number).to_be_bytes());
    packet.extend([1, 187, 0, 0]);
    packet.extend(number.to_be_bytes());
    packet.extend([0, 0, 0, 0, 0x50, 2, 0xff, 0xff, 0, 0, 0, 0]);
    let (linktype_raw, length) = (101_u32, packet.len() as u32);
    let header = [0xa1b2_c3d4, 4 << 16 | 2, 0, 0, 65_535, linktype_raw];
    let record = [1_795_737_600 + u32::from(number), 0, length, length];
    let words = header.into_iter().chain(record).flat_map(u32::to_le_bytes);
    words.chain(packet).collect()
}
