//! Debian's own Prometheus scrapes a capture, promtool finds nothing to complain about, and alerts fire from what was scraped.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed unwrap is a failed test")]

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;
use serde_json::Value;
use tests::lab::{ALLOW, Lab};
use tests::process::{Outcome, Running, until};

/// Whether Debian's Prometheus is here; loud where it is not.
fn has_prometheus() -> bool {
    let is_there = ["prometheus", "promtool"]
        .iter()
        .all(|program| Command::new(program).arg("--version").output().is_ok_and(|of| of.status.success()));
    if !is_there {
        println!("SKIPPED: no prometheus and promtool here: apt-get install prometheus");
    }
    is_there
}

/// A port that nobody listens on, for now.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Status and body of an answer.
fn get(mut stream: impl Read + Write, path: &str) -> (u16, String) {
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

fn get_tcp(port: u16, path: &str) -> (u16, String) {
    get(TcpStream::connect(("127.0.0.1", port)).unwrap(), path)
}

/// A capture that serves metrics.
fn serve(lab: &Lab, options: &[&str]) -> Running {
    Running::attached(lab.capture("tail", ALLOW, &["-o", "json"]).args(options))
}

fn rules() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/monitoring/alerts.yaml")
}

/// What `/api/v1/` of Prometheus says.
fn ask(port: u16, what: &str) -> Value {
    let (_, body) = get_tcp(port, &format!("/api/v1/{what}"));
    serde_json::from_str::<Value>(&body).map_or(Value::Null, |answer| answer["data"].clone())
}

/// The value of a series, once it was scraped.
fn value(port: u16, series: &str) -> Option<f64> {
    ask(port, &format!("query?query={series}"))["result"][0]["value"][1].as_str()?.parse().ok()
}

#[test]
#[ignore = "needs root: cargo xtask test --only lab"]
fn promtool_has_no_complaints_and_a_socket_serves_the_same() {
    let lab = Lab::up("fully_random");
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("socket");
    let address = format!("unix:{}", socket.display());
    let textfile = directory.path().to_str().unwrap();
    let tail = serve(&lab, &["--metrics", &address, "--textfile", textfile]);
    let answer = |path: &str| get(UnixStream::connect(&socket).unwrap(), path);
    until("all hooks are on", || answer("/readyz").0 == 200);
    assert_eq!(answer("/healthz"), (200, "ok\n".to_owned()));
    Outcome::of(&mut lab.client(&["--truth", "/dev/null", "-n", "60"])).done();
    until("a flagged attempt", || !answer("/metrics").1.contains("\nsnatrace_flagged_attempts_total 0\n"));
    let file = directory.path().join("snatrace.prom");
    until("the text file", || file.exists());
    if has_prometheus() {
        for text in [answer("/metrics").1, fs::read_to_string(&file).unwrap()] {
            let mut check = Command::new("promtool");
            check.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
            let mut check = check.spawn().unwrap();
            check.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
            let outcome = check.wait_with_output().unwrap();
            let said = [outcome.stdout, outcome.stderr].map(|text| String::from_utf8(text).unwrap());
            assert!(outcome.status.success() && said.concat().is_empty(), "{said:?}");
        }
    }
    tail.signal(Signal::SIGTERM);
    tail.finish().done();
    assert!(!socket.exists() && !file.exists(), "what is left would be taken for news");
}

#[test]
#[ignore = "needs root: cargo xtask test --only lab"]
fn prometheus_scrapes_a_capture_and_alerts_fire() {
    if !has_prometheus() {
        return;
    }
    let lab = Lab::up("fully_random");
    let directory = tempfile::tempdir().unwrap();
    let (port, prometheus_port) = (free_port(), free_port());
    // As in deploy/monitoring, without the minutes that an alert waits there.
    let text = fs::read_to_string(rules()).unwrap();
    let text: String =
        text.lines().filter(|line| !line.trim().starts_with("for: ")).map(|line| format!("{line}\n")).collect();
    fs::write(directory.path().join("alerts.yaml"), text).unwrap();
    let config = format!(
        "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: [alerts.yaml]\n\
         scrape_configs: [{{job_name: snatrace, static_configs: [{{targets: ['127.0.0.1:{port}']}}]}}]\n"
    );
    let config_path = directory.path().join("prometheus.yml");
    fs::write(&config_path, config).unwrap();

    let tail = serve(&lab, &["--metrics", &format!("127.0.0.1:{port}")]);
    let mut prometheus = Command::new("prometheus");
    prometheus.arg(format!("--config.file={}", config_path.display()));
    prometheus.arg(format!("--storage.tsdb.path={}", directory.path().join("data").display()));
    prometheus.arg(format!("--web.listen-address=127.0.0.1:{prometheus_port}"));
    let prometheus = Running::start(&mut prometheus);
    until("a running Prometheus", || TcpStream::connect(("127.0.0.1", prometheus_port)).is_ok());
    until("a scrape", || value(prometheus_port, "up") == Some(1.0));
    until("the build", || value(prometheus_port, "snatrace_build_info") == Some(1.0));
    // An alert about a rate needs two scrapes that differ, so the failures go on for a while.
    let firing = || {
        let alerts = ask(prometheus_port, "alerts")["alerts"].clone();
        let names = alerts.as_array().into_iter().flatten().filter(|alert| alert["state"] == "firing");
        names.filter_map(|alert| Some(alert["labels"]["alertname"].as_str()?.to_owned())).collect::<Vec<_>>()
    };
    until("firing alerts", || {
        Outcome::of(&mut lab.client(&["--truth", "/dev/null", "-n", "60"])).done();
        let firing = firing();
        ["SnatraceFilterDropsReturnTraffic", "SnatraceConnectionsFail"]
            .iter()
            .all(|name| firing.iter().any(|of| of == name))
    });
    assert!(value(prometheus_port, "snatrace_inferred_lowest_port").is_none_or(|port| port > 1024.0));
    assert_eq!(value(prometheus_port, "snatrace_blind"), Some(0.0));
    tail.signal(Signal::SIGTERM);
    tail.finish().done();
    until("an alert about a capture that is gone", || firing().iter().any(|name| name == "SnatraceDown"));
    prometheus.signal(Signal::SIGTERM);
    prometheus.finish();
}

#[test]
#[ignore = "needs root: cargo xtask test --only lab"]
fn the_plugin_of_node_problem_detector_says_whether_a_filter_is_proven() {
    let lab = Lab::up("fully_random");
    let address = format!("127.0.0.1:{}", free_port());
    let plugin = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/node-problem-detector/check-snatrace");
    // 0: no problem, 1: a problem, anything else: unknown.
    let check = || Outcome::of(Command::new(plugin).arg(&address));
    assert_eq!((check().code, check().stdout.starts_with("no metrics of snatrace at '127.0.0.1:")), (Some(2), true));
    let tail = serve(&lab, &["--metrics", &address]);
    until("metrics", || check().code == Some(0));
    assert_eq!(check().stdout, "no filter is proven\n");
    until("a proven filter", || {
        Outcome::of(&mut lab.client(&["--truth", "/dev/null", "-n", "200"])).done();
        check().code == Some(1)
    });
    assert!(check().stdout.starts_with("a filter drops return traffic, flagged are: "), "{:?}", check());
    tail.signal(Signal::SIGTERM);
    tail.finish().done();
    assert_eq!(check().code, Some(2));
}
