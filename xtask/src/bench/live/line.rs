//! How long after a SYN retransmission its line is on the screen.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::process::{ChildStdout, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use serde_json::Value;

use super::Bench;
use super::lab::within;
use crate::bench::spread::Spread;
use crate::bench::table::Row;
use crate::process;

const TARGET_MS: f64 = 200.0;
/// A port whose SYNs the server drops.
const DEAD_PORT: u16 = 7;
/// Connections and the time between their starts: closer than the period of reading, then with silence in between. Neither
/// time is a multiple of any period.
const SERIES: [(u32, Duration); 2] = [(30, Duration::from_millis(37)), (15, Duration::from_millis(413))];
/// The SYN is retransmitted after one second.
const GIVE_UP: Duration = Duration::from_millis(1500);
const ATTACH_LIMIT: Duration = Duration::from_secs(20);

pub fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let rule = format!(
        "add table inet dead; add chain inet dead input {{ type filter hook input priority 0; }}; \
         add rule inet dead input tcp dport {DEAD_PORT} drop"
    );
    process::output(bench.lab.command(&bench.lab.server, "nft").arg(rule))?;
    let ready = bench.scratch("line")?.join("ready");
    let mut command = bench.lab.command(&bench.lab.node, &bench.snatrace);
    command.args(["tail", "--all", "-o", "json", "--dport", &DEAD_PORT.to_string(), "--ready-file"]).arg(&ready);
    let mut child = command.stdout(Stdio::piped()).spawn().context("cannot start tail")?;
    let lines = lines(child.stdout.take().context("tail has no output")?);
    let delays = if process::poll_for(ATTACH_LIMIT, || Ok(ready.exists()))? {
        connect(bench).and_then(|()| delays(&lines))
    } else {
        Err(anyhow::anyhow!("tail was not attached after {} s", ATTACH_LIMIT.as_secs()))
    };
    child.kill()?;
    child.wait()?;
    let Some(spread) = Spread::of(delays?) else { bail!("tail printed no line") };
    let row = Row::at_most("line on screen after the retransmit", spread.max, TARGET_MS, " ms");
    Ok(vec![row.measured(format!("{spread:.0} ms"))])
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

/// Starts connections that get no answer, and returns when the last one has given up.
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

/// In milliseconds, of the lines that have come.
fn delays(lines: &Receiver<(Timestamp, String)>) -> Result<Vec<f64>> {
    let mut delays = Vec::new();
    while let Ok((came, line)) = lines.recv_timeout(Duration::from_millis(500)) {
        let value: Value = serde_json::from_str(&line).with_context(|| format!("tail wrote no JSON: {line}"))?;
        if value["kind"] == "retransmit" {
            let sent: Timestamp = value["time"].as_str().context("a line has no time")?.parse()?;
            delays.push((came.as_nanosecond() - sent.as_nanosecond()) as f64 / 1e6);
        }
    }
    Ok(delays)
}
