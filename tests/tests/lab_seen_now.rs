//! The conntrack table of a node in the lab: it names the filter's range where ports fail, and nothing where something else does.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::fmt::Write as _;
use std::fs;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::{TimeVal, TimeValLike as _};
use serde_json::Value;
use tests::lab::Lab;
use tests::process::Outcome;

/// Longer than what counts as unanswered.
const SETTLE: Duration = Duration::from_secs(4);

/// How long a node fails before it is examined.
const FAILING: Duration = Duration::from_secs(30);
/// Entries of the largest table, where the kernel allows so many, and the bytes and the seconds of its own processor time that
/// reading it may take: 0.3 s of a release build, ten times as much of a debug build. What the kernel takes to list it is printed.
const MAX_ENTRIES: u64 = 1_000_000;
const MAX_S: f64 = 4.0;
const MAX_BYTES: u64 = 256 << 20;

/// Makes connections in the lab and returns what `doctor` says.
fn judgement(scenario: &str) -> (Lab, Value) {
    let lab = Lab::up(scenario);
    Outcome::of(&mut lab.client(&["-n", "400", "--truth", "/dev/null"])).done();
    thread::sleep(SETTLE);
    examine(lab)
}

fn examine(lab: Lab) -> (Lab, Value) {
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
    let lab = Lab::up("fully_random");
    let began = Instant::now();
    while began.elapsed() < FAILING {
        Outcome::of(&mut lab.client(&["-n", "60", "--truth", "/dev/null"])).done();
    }
    let (lab, judgement) = examine(lab);
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
        fs::write(file.path(), &output.stdout).unwrap();
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

/// As `conntrack -R` takes them: ports all over, of which those below 32768 fail, of 50,000 servers.
fn entries(count: u64) -> String {
    (0..count).fold(String::new(), |mut text, number| {
        let (port, server) = (1024 + number * 161 % 64512, number % 50_000);
        let server = format!("203.0.{}.{}", server % 200, server / 200);
        let (client, own, from) = (1 + number / 50_000, 1 + number / 64_000, 1024 + number % 64_000);
        // Their last packets were in the last minute.
        let state = match port < 32768 {
            true => format!("--state SYN_SENT -t {} -u UNSET", 60 + number % 58),
            false => format!("--state ESTABLISHED -t {} -u SEEN_REPLY,ASSURED", 431_940 + number % 58),
        };
        let _ = writeln!(
            text,
            "-I -p tcp {state} -s 10.42.{client}.1 -d {server} -r {server} -q 192.0.2.{own} --sport {from} --dport 443 \
             --reply-port-src 443 --reply-port-dst {port}"
        );
        text
    })
}

/// Seconds that the inference takes by itself, with memory bounded.
fn seconds(netns: &str, table: &[&str], expected: u64) -> f64 {
    let mut infer = Command::new("ip");
    infer.args(["netns", "exec", netns, "prlimit", &format!("--as={MAX_BYTES}")]).arg(tests::binary());
    infer.args(["infer", "-o", "json", "--conntrack"]).args(table);
    let before = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
    let lines = Outcome::of(&mut infer).done();
    let after = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
    let seconds = |time: TimeVal| time.num_microseconds() as f64 / 1e6;
    let [own, kernel] =
        [after.user_time() - before.user_time(), after.system_time() - before.system_time()].map(seconds);
    println!("{expected} entries: {own:.2} s, and {kernel:.2} s of the kernel");
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["likely"], "32768-65535", "{lines:#?}");
    assert_eq!(lines.last().unwrap()["entries"], expected, "{lines:#?}");
    own
}

#[test]
#[ignore = "needs root: cargo xtask test --only lab"]
fn a_million_entries_are_read_in_seconds() {
    let netns = format!("table{}", std::process::id());
    let run = |tool: &str, words: &str| Outcome::of(Command::new(tool).args(words.split(' '))).done();
    let most: u64 = fs::read_to_string("/proc/sys/net/netfilter/nf_conntrack_max").unwrap().trim().parse().unwrap();
    let count = MAX_ENTRIES.min(most - most / 50);
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), entries(count)).unwrap();
    run("ip", &format!("netns add {netns}"));
    let measured = std::panic::catch_unwind(|| {
        run("ip", &format!("netns exec {netns} conntrack -R {}", file.path().display()));
        let listed = run("ip", &format!("netns exec {netns} conntrack -L"));
        let of_kernel = seconds(&netns, &[], count);
        fs::write(file.path(), listed.repeat((MAX_ENTRIES / count) as usize)).unwrap();
        let of_file = seconds(&netns, &[file.path().to_str().unwrap()], count * (MAX_ENTRIES / count));
        (of_kernel, of_file)
    });
    run("ip", &format!("netns del {netns}"));
    let (of_kernel, of_file) = measured.unwrap();
    assert!(of_kernel < MAX_S && of_file < MAX_S, "{of_kernel} s, {of_file} s");
}
