//! Other programs read what `export` writes, and count what `report` counts: DuckDB, pyarrow, pandas and Spark the Parquet, Wireshark's
//! tools the pcapng. SNATRACE_PYTHON has the packages; `cargo xtask test --only readers` installs them.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeSet;
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use snatrace::model::{Capture, OwnerAt};
use snatrace::store::{Reader, Writer};
use tests::golden;
use tests::process::Outcome;

const CASE: &str = "mixed-wire";

fn snatrace(words: &str, files: &[&Path]) -> String {
    let mut command = tests::snatrace(env!("CARGO_BIN_EXE_snatrace-under-test"));
    Outcome::of(command.args(words.split(' ')).args(files)).done()
}

fn trace(case: &str) -> PathBuf {
    golden::directory().join(format!("{case}.trace"))
}

fn run(program: &str, words: &[&str], file: &Path) -> String {
    let output = Command::new(program).args(words).arg(file).output().unwrap();
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn python() -> Command {
    Command::new(
        env::var_os("SNATRACE_PYTHON").expect("SNATRACE_PYTHON: python3 with duckdb, pyarrow, pandas, pyspark"),
    )
}

/// What a hostile trace may call a pod: no reader is to be led astray.
const NAMES: [&str; 5] = ["cart", "quote\"d', `;--", "two\r\nlines\t", "\0nul\u{202e}", "=1+1|cmd"];

/// The name of the pod with this number; one has 64 KB, and one bytes that are no UTF-8, which no event can hold but as U+FFFD.
fn pod(number: usize) -> String {
    let name = NAMES[number % NAMES.len()];
    let long = if number == 1 { "x".repeat(64 << 10) } else { String::new() };
    format!("{name}{}{long}-{number}", String::from_utf8_lossy(&[0xff]))
}

/// The trace of a case, with a pod for each network namespace that has a socket.
fn with_pods(dir: &Path) -> PathBuf {
    let rows = snatrace("export -o jsonl --all -w -", &[&trace(CASE)]);
    let rows = rows.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let netns: BTreeSet<u32> = rows.filter_map(|row| row["netns"].as_u64()).map(|netns| netns as u32).collect();
    let owner = |(number, &netns)| OwnerAt { netns, since_ns: 0, owner: format!("shop/{}/app", pod(number)) };
    let mut reader = Reader::open(&trace(CASE)).unwrap();
    let owners: Vec<OwnerAt> = netns.iter().enumerate().map(owner).collect();
    assert!(!owners.is_empty());
    let out = dir.join("pods.trace");
    let mut writer = Writer::create(&out, &Capture { owners, ..reader.capture.clone() }).unwrap();
    let mut batch = Vec::new();
    while reader.blocks.read(1024, 0, &mut batch).unwrap() {}
    batch.iter().for_each(|(_, event)| writer.write(event).unwrap());
    writer.finish().unwrap();
    out
}

fn reads(engine: &str, text: &str, number: &str, time: &str) {
    let dir = tempfile::tempdir().unwrap();
    let (out, trace) = (dir.path().join("t.parquet"), with_pods(dir.path()));
    snatrace("export -o parquet --all -w", &[&out, &trace]);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("readers/read.py");
    let output = python()
        .args([script.as_os_str(), engine.as_ref(), out.as_ref()])
        .arg(dir.path().join("t-retransmits.parquet"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let read: Value = serde_json::from_slice(&output.stdout).unwrap();

    let report = snatrace("report -o json", &[&trace]);
    let report: Vec<Value> = report.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let report = &report[report.len() - 2];
    let rows = snatrace("export -o jsonl --all -w -", &[&trace]);
    let rows: Vec<Value> = rows.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let known = |name: &str| rows.iter().filter(|row| !row[name].is_null()).count();
    assert_eq!(read["rows"], json!([report["attempts"], known("pod"), known("icmp_type")]));
    assert_eq!(read["retransmits"], report["retransmits"]);
    let start = rows.iter().filter_map(|row| row["start_time"].as_str()).min().unwrap();
    assert_eq!(read["start"].as_str().unwrap().replace(' ', "T"), start[..19]);
    for (column, kind) in [("node", text), ("isn", number), ("start_time", time)] {
        assert_eq!(read["types"][column], kind, "{column}");
    }
    let pods = report["pods"]["rows"].as_array().unwrap();
    let named: Vec<&Value> = read["pods"].as_array().unwrap().iter().filter(|row| !row[1].is_null()).collect();
    assert!(named.len() == pods.len() && !pods.is_empty());
    for row in named {
        let name = format!("{}/{}", row[0].as_str().unwrap(), row[1].as_str().unwrap());
        let pod = pods.iter().find(|pod| pod["name"] == name).unwrap();
        assert_eq!((&row[2], &row[3]), (&pod["attempts"], &pod["unanswered"]), "{name}");
    }
    for row in read["ports"].as_array().unwrap() {
        let ports = &report["ports"]["ipv4"][if row[0] == true { "inside" } else { "outside" }];
        assert_eq!((&row[1], &row[2]), (&ports["answered"], &ports["unanswered"]));
    }
    assert!(!read["ports"].as_array().unwrap().is_empty());
}

#[test]
#[ignore = "needs Python packages: cargo xtask test --only readers"]
fn duckdb_counts_what_report_counts() {
    reads("duckdb", "VARCHAR", "BIGINT", "TIMESTAMP WITH TIME ZONE");
}

#[test]
#[ignore = "needs Python packages: cargo xtask test --only readers"]
fn pyarrow_and_pandas_count_what_report_counts() {
    reads("pyarrow", "string", "int64", "timestamp[us, tz=UTC]");
    reads("pandas", "string", "int64", "timestamp[us, tz=UTC]");
}

#[test]
#[ignore = "needs Python packages and a JRE: cargo xtask test --only readers"]
fn spark_counts_what_report_counts() {
    reads("spark", "string", "bigint", "timestamp");
}

#[test]
#[ignore = "needs Python packages: cargo xtask test --only readers"]
fn counts_that_another_engine_wrote_with_its_own_compression_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let counts = dir.path().join("counts.parquet");
    let script = "import sys, pyarrow as a, pyarrow.parquet as p
ports = list(range(1024, 65536, 64))
closed = [port < 32768 for port in ports]
p.write_table(a.table({'port': ports, 'answered': [0 if c else 9 for c in closed], 'unanswered': [9 if c else 0 for c in closed]}),
              sys.argv[1], compression='snappy')";
    assert!(python().args(["-c", script]).arg(&counts).status().unwrap().success());
    let line: Value =
        serde_json::from_str(snatrace("infer -o json --counts", &[&counts]).lines().next().unwrap()).unwrap();
    assert_eq!(line["unanswered"], 496 * 9, "{line}");
}

#[test]
#[ignore = "needs tshark, capinfos, editcap: cargo xtask test --only readers"]
fn wireshark_reads_the_packets_and_their_comments() {
    let dir = tempfile::tempdir().unwrap();
    for case in golden::cases() {
        let out = dir.path().join("t.pcapng");
        snatrace("export -o pcapng --all -w", &[&out, &trace(&case)]);
        let infos = run("capinfos", &["-M"], &out);
        assert!(infos.contains("Strict time order:   True"), "{case}: {infos}");
        let words =
            ["-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE", "-T", "fields", "-E", "separator=|"];
        let fields = [
            "frame.comment",
            "tcp.checksum.status",
            "ip.checksum.status",
            "icmp.checksum.status",
            "icmpv6.checksum.status",
            "_ws.malformed",
        ];
        let fields: Vec<&str> = fields.iter().flat_map(|field| ["-e", *field]).collect();
        let shown = run("tshark", &[&words[..], &fields[..], &["-r"]].concat(), &out);
        assert!(shown.lines().count() > 5, "{case}");
        for line in shown.lines() {
            let fields: Vec<&str> = line.split('|').collect();
            assert!(fields[0].contains("; cause ") && fields[0].contains("; original "), "{case}: {line}");
            // 1 is good; the packets that ICMP errors quote have one of their own.
            let statuses = fields[1..5].iter().flat_map(|status| status.split(','));
            assert!(
                statuses.filter(|status| !status.is_empty()).all(|status| status == "1") && fields[5].is_empty(),
                "{case}: {line}"
            );
        }
        let copy = dir.path().join("copy.pcapng");
        assert!(Command::new("editcap").args(["-F", "pcapng"]).args([&out, &copy]).status().unwrap().success());
        let count = |file: &Path| run("tshark", &["-T", "fields", "-e", "frame.comment", "-r"], file);
        assert_eq!(count(&copy), count(&out), "{case}");
    }
}
