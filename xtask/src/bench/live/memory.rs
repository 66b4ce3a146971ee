//! Memory of tail with a million attempts in progress, and with two million, of which it evicts the older half.
//!
//! The attempts are SYNs with an ISN each from a raw socket on the node, past conntrack, whose table would fill long before.
//! Their checksum is wrong, so the server does not answer. Before them come as many connections through NAT as bindings are kept.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::AsRawFd;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::sys::socket::{self, AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrIn};

use super::Bench;
use super::lab::within;
use super::running::Running;
use super::storm::Storm;
use super::tools::{self, TAIL};
use crate::bench::table::Row;
use crate::process;

/// The default limit of attempts.
const MAX_ATTEMPTS: u32 = 1_000_000;
/// The default limit of bindings.
const MAX_BINDINGS: f64 = 131_072.0;
const TARGET_MIB: f64 = 200.0;
const DISCARD_PORT: u16 = 9;
/// SYNs between two pauses, so that a million take about 20 s: faster than any node, and less than idle attempts live.
const BURST: u32 = 500;
const PAUSE: Duration = Duration::from_millis(10);

pub fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let rules = format!(
        "add table inet quiet; add chain inet quiet output {{ type filter hook output priority raw; }}; \
         add rule inet quiet output tcp dport {DISCARD_PORT} notrack"
    );
    process::output(bench.lab.command(&bench.lab.node, "nft").arg(rules))?;
    [1, 2].into_iter().map(|millions| row(bench, millions)).collect()
}

fn row(bench: &Bench, millions: u32) -> Result<Row> {
    bench.progress(&format!("memory: {millions} M attempts"));
    let running = Running::start(bench, tools::find(TAIL).map_err(anyhow::Error::msg)?)?;
    let (mut storm, mut bindings) = (Storm::start(bench, None)?, 0.0);
    while bindings < MAX_BINDINGS {
        bindings += storm.window(bench.window, None)?.established;
    }
    drop(storm);
    let server: Ipv4Addr = bench.lab.server_address(1).parse()?;
    within(&bench.lab.node, || flood(server, millions * MAX_ATTEMPTS))?;
    thread::sleep(bench.settle);
    let dir = running.dir.clone();
    let peak_mib = running.end()?.peak_kib.context("tail has no memory")? as f64 / 1024.0;
    let summary = tools::summary_of_tail(&dir).context("tail wrote no summary")?;
    let words = format!("{peak_mib:.0} MiB; {} attempts, {} evicted", summary["attempts"], summary["evicted"]);
    let what = format!("peak memory of tail, {millions} M attempts in progress");
    Ok(Row::at_most(what, peak_mib, TARGET_MIB, " MiB").measured(words))
}

/// Sends so many SYNs, each with its own ISN.
fn flood(server: Ipv4Addr, count: u32) -> Result<()> {
    let flags = SockFlag::SOCK_CLOEXEC;
    let socket =
        socket::socket(AddressFamily::Inet, SockType::Raw, flags, SockProtocol::Tcp).context("no raw socket")?;
    let to = SockaddrIn::from(SocketAddrV4::new(server, 0));
    for number in 0..count {
        match socket::sendto(socket.as_raw_fd(), &syn(number), &to, MsgFlags::empty()) {
            Ok(_) => {}
            Err(Errno::ENOBUFS) => thread::sleep(PAUSE),
            Err(errno) => return Err(errno).context("a SYN cannot be sent"),
        }
        if number % BURST == 0 {
            thread::sleep(PAUSE);
        }
    }
    Ok(())
}

/// A TCP header without checksum.
fn syn(number: u32) -> [u8; 20] {
    let mut bytes = [0; 20];
    let [.., high, low] = number.to_be_bytes();
    bytes[0..2].copy_from_slice(&[high | 0x80, low]);
    bytes[2..4].copy_from_slice(&DISCARD_PORT.to_be_bytes());
    // An odd factor gives each number its own ISN, spread over all of them.
    bytes[4..8].copy_from_slice(&number.wrapping_mul(0x9E37_79B1).to_be_bytes());
    bytes[12] = 5 << 4;
    bytes[13] = 0x02;
    bytes[14..16].copy_from_slice(&u16::MAX.to_be_bytes());
    bytes
}
