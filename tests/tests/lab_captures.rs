//! `tcpdump -i any` beside a live capture: both flag the same retransmits, and both infer the same.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use libtest_mimic::{Arguments, Trial};
use nix::sys::signal::Signal;
use serde_json::Value;
use tests::capturing;
use tests::lab::Lab;
use tests::process::{Outcome, Running, json, until};

const SCENARIOS: [&str; 7] =
    ["fully_random", "service", "ipv6", "preserved", "no_answer", "port_exhausted", "forwarded"];
/// In the last packet of a run: what came before it was captured.
const END: &str = "snatrace-lab-ends-here";

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(3);
    let trial = |name: &'static str| {
        let test = move || {
            agrees(name);
            Ok(())
        };
        Trial::test(name, test).with_ignored_flag(true)
    };
    libtest_mimic::run(&arguments, SCENARIOS.map(trial).into()).exit_code()
}

fn agrees(scenario: &str) {
    let (lab, directory) = (Lab::up(scenario), tempfile::tempdir().unwrap());
    let [live, packets] = ["live.trace", "any.pcap"].map(|name| directory.path().join(name));
    let tcpdump = Running::start(&mut tcpdump(&lab, &packets));
    until("the header of the packet capture", || fs::metadata(&packets).is_ok_and(|file| file.len() >= 24));
    let allow = lab.variable("ALLOW").to_owned();
    let mut record = lab.capture("record", &allow, &["-w"]);
    Outcome::of(record.arg(&live).arg("--").args(Lab::traffic(200))).done();
    end(&lab, &packets);
    tcpdump.signal(Signal::SIGINT);
    tcpdump.finish().done();

    let expected = flagged(&[&live], &allow);
    assert_eq!(flagged(&[&packets], &allow), expected, "{scenario}");
    assert_eq!(inferred(&[&packets]), inferred(&[&live]), "{scenario}");
    assert_eq!(expected.is_empty(), ["preserved", "no_answer", "port_exhausted"].contains(&scenario), "{scenario}");
    let others = rewritten(&packets);
    others.iter().for_each(|other| assert_eq!(flagged(&[other], &allow), expected, "{}", other.display()));
}

fn tcpdump(lab: &Lab, packets: &Path) -> Command {
    let mut tcpdump = in_node(lab);
    tcpdump.args(["tcpdump", "-i", "any", "-Z", "root", "--immediate-mode", "-B", "16384", "-U", "-s", "128", "-w"]);
    tcpdump.arg(packets).arg("tcp or icmp or icmp6 or udp port 9");
    tcpdump
}

fn in_node(lab: &Lab) -> Command {
    let mut command = Command::new("nsenter");
    command.arg(format!("--net={}", lab.node().display()));
    command
}

/// Sends the last packet to the next hop of the uplink, and waits until it was captured.
fn end(lab: &Lab, packets: &Path) {
    let router = lab.variable("SRC").split("0.0/16").next().unwrap().to_owned() + "128.1";
    let send = format!("echo {END} > /dev/udp/{router}/9");
    Outcome::of(in_node(lab).args(["bash", "-c", &send])).done();
    let is_end = |bytes: &[u8]| bytes.windows(END.len()).any(|window| window == END.as_bytes());
    until("the last packet", || is_end(&fs::read(packets).unwrap()));
}

/// The same packets as Wireshark's tools write them, and packed.
fn rewritten(packets: &Path) -> Vec<PathBuf> {
    let gzip = packets.with_extension("pcap.gz");
    let packed = Command::new("gzip").args(["-c".as_ref(), packets.as_os_str()]).output().unwrap();
    fs::write(&gzip, packed.stdout).unwrap();
    let pcapng = packets.with_extension("pcapng");
    let editcap = Command::new("editcap").args(["-F", "pcapng"]).args([packets, &pcapng]).status();
    if !editcap.is_ok_and(|status| status.success()) {
        println!("SKIPPED: pcapng of Wireshark: editcap is not installed");
        return vec![gzip];
    }
    vec![gzip, pcapng]
}

fn lines(words: &[&str], files: &[&Path]) -> Vec<Value> {
    json(&Outcome::of(capturing().args(words).args(files)).done())
}

fn flagged(files: &[&Path], allow: &str) -> BTreeSet<String> {
    let lines = lines(&["replay", "-o", "json", "--allow", allow], files);
    let flagged = lines.iter().filter(|line| line["kind"] == "retransmit" && line["flagged"] == true);
    flagged.map(|line| format!("{} {} {}", line["isn"], line["nat_port"], line["retransmits"])).collect()
}

fn inferred(files: &[&Path]) -> Vec<Value> {
    let lines = lines(&["infer", "-o", "json"], files);
    lines.into_iter().filter(|line| line["kind"] == "inference").collect()
}
