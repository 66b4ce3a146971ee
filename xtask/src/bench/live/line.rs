//! How long after the kernel sent a SYN again its line is on the screen.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::process::{ChildStdout, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::lab::within;
use super::{Bench, Report};
use crate::bench::figures::Spread;
use crate::bench::table::Row;
use crate::process;

const TARGET_MS: f64 = 200.0;
/// A port whose SYNs the server swallows.
const DEAD_PORT: u16 = 7;
/// So many connections begin so far apart. No multiple of any period of reading: first closer than one, then with silence between.
const SERIES: [(u32, Duration); 2] = [(30, Duration::from_millis(37)), (15, Duration::from_millis(413))];
/// The SYN is sent again after one second.
const GIVE_UP: Duration = Duration::from_millis(1500);
const PATIENCE: Duration = Duration::from_secs(20);

pub fn measure(bench: &Bench, report: &mut Report) -> Result<()> {
    let rule = format!(
        "add table inet dead; add chain inet dead input {{ type filter hook input priority 0; }}; \
         add rule inet dead input tcp dport {DEAD_PORT} drop"
    );
    process::output(bench.lab.command(&bench.lab.server, "nft").arg(rule))?;
    let ready = bench.scratch.path("line")?.join("ready");
    let mut command = bench.lab.command(&bench.lab.node, &bench.snatrace);
    command.args(["tail", "--all", "-o", "json", "--dport", &DEAD_PORT.to_string(), "--ready-file"]).arg(&ready);
    let mut child = command.stdout(Stdio::piped()).spawn().context("tail cannot be started")?;
    let lines = lines(child.stdout.take().context("tail has no output")?);
    let delays = wait_for(&ready).and_then(|()| connect(bench)).and_then(|()| delays(&lines));
    child.kill()?;
    child.wait()?;
    let spread = Spread::of(delays?).context("no line came")?;
    report.row(
        Row::at_most("line on screen after the retransmit", spread.max, TARGET_MS, " ms")
            .measured(format!("{spread:.1} ms")),
    );
    report.raw("line_ms", json!({ "spread": spread.json() }));
    Ok(())
}

fn wait_for(file: &std::path::Path) -> Result<()> {
    let begin = Instant::now();
    while !file.exists() {
        if begin.elapsed() > PATIENCE {
            bail!("tail was not attached after {} s", PATIENCE.as_secs());
        }
        thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// Each line with the moment at which it came.
fn lines(stdout: ChildStdout) -> Receiver<(Timestamp, String)> {
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if sender.send((Timestamp::now(), line)).is_err() {
                return;
            }
        }
    });
    lines
}

/// Begins connections that get no answer, one after the other, and returns when the last one is given up.
fn connect(bench: &Bench) -> Result<()> {
    let address: SocketAddr = format!("{}:{DEAD_PORT}", bench.lab.server_address(1)).parse()?;
    within(&bench.lab.pod, || {
        for (connections, apart) in SERIES {
            thread::scope(|scope| {
                for index in 0..connections {
                    scope.spawn(move || {
                        thread::sleep(apart * index);
                        // It fails, as it should.
                        let _ = TcpStream::connect_timeout(&address, GIVE_UP);
                    });
                }
            });
        }
        Ok(())
    })
}

/// In milliseconds, of the lines that are here by now.
fn delays(lines: &Receiver<(Timestamp, String)>) -> Result<Vec<f64>> {
    let mut delays = Vec::new();
    while let Ok((came, line)) = lines.recv_timeout(Duration::from_millis(500)) {
        let value: Value = serde_json::from_str(&line).with_context(|| format!("tail said no JSON: {line}"))?;
        if value["kind"] == "retransmit" {
            let sent: Timestamp = value["time"].as_str().context("a line has no time")?.parse()?;
            delays.push((came.as_nanosecond() - sent.as_nanosecond()) as f64 / 1e6);
        }
    }
    Ok(delays)
}
