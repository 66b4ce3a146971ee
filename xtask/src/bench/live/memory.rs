//! Memory of tail with a million attempts under way, and with two million, of which it gives up the older half.
//!
//! The attempts are SYNs of their own ISN each from a raw socket on the node, past conntrack, whose table would be full long
//! before. Their checksum is wrong, so the server says nothing, and they stay open. Connections through NAT come before them, as
//! many as bindings are kept; without kprobes nobody tells of bindings.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::AsRawFd;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::sys::socket::{self, AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrIn};
use serde_json::json;

use super::lab::within;
use super::running::Running;
use super::storm::Storm;
use super::tools::{self, TAIL};
use super::{Bench, Report, machine};
use crate::bench::table::Row;
use crate::process;

/// The default limit of attempts.
const MILLION: u32 = 1_000_000;
/// The default limit of bindings.
const BINDINGS: f64 = 131_072.0;
const TARGET_MIB: f64 = 200.0;
const DISCARD_PORT: u16 = 9;
/// SYNs sent between two breaks, so that a million take about 20 s: more than nodes have, and less than idle attempts live.
const AT_ONCE: u32 = 500;
const BREAK: Duration = Duration::from_millis(10);

pub fn measure(bench: &Bench, report: &mut Report) -> Result<()> {
    let rules = format!(
        "add table inet quiet; add chain inet quiet output {{ type filter hook output priority raw; }}; \
         add rule inet quiet output tcp dport {DISCARD_PORT} notrack"
    );
    process::output(bench.lab.command(&bench.lab.node, "nft").arg(rules))?;
    for millions in [1, 2] {
        bench.progress(&format!("memory: {millions} M attempts"));
        let running = Running::start(bench, tools::find(TAIL).map_err(anyhow::Error::msg)?)?;
        bind(bench)?;
        let server: Ipv4Addr = bench.lab.server_address(1).parse()?;
        within(&bench.lab.node, || flood(server, millions * MILLION))?;
        thread::sleep(bench.plan.settle);
        let open = machine::resident_kib(running.pid()).context("tail has no memory")?;
        let dir = running.dir.clone();
        let ended = running.end()?;
        let peak = ended.peak_kib.context("tail has no memory")?;
        let (attempts, evicted) = tools::attempts_and_evicted(&dir).context("tail said nothing at its end")?;
        let what = format!("memory of tail, {millions} M attempts under way");
        let words =
            format!("{:.0} MiB, peak {:.0}; {attempts} attempts told of, {evicted} evicted", mib(open), mib(peak));
        report.row(Row::at_most(what.clone(), mib(peak), TARGET_MIB, " MiB").measured(words));
        report.raw(&what, json!({ "kib": open, "peak_kib": peak, "attempts": attempts, "evicted": evicted }));
    }
    Ok(())
}

/// Makes connections until so many bindings were made as are kept.
fn bind(bench: &Bench) -> Result<()> {
    let (mut storm, mut made) = (Storm::start(bench, None)?, 0.0);
    while made < BINDINGS {
        made += storm.window(bench.plan.window, None)?.established;
    }
    Ok(())
}

fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}

/// Sends so many SYNs, each of its own ISN.
fn flood(server: Ipv4Addr, count: u32) -> Result<()> {
    let flags = SockFlag::SOCK_CLOEXEC;
    let socket =
        socket::socket(AddressFamily::Inet, SockType::Raw, flags, SockProtocol::Tcp).context("no raw socket")?;
    let to = SockaddrIn::from(SocketAddrV4::new(server, 0));
    for number in 0..count {
        match socket::sendto(socket.as_raw_fd(), &syn(number), &to, MsgFlags::empty()) {
            Ok(_) => {}
            Err(Errno::ENOBUFS) => thread::sleep(BREAK),
            Err(errno) => return Err(errno).context("a SYN cannot be sent"),
        }
        if number % AT_ONCE == 0 {
            thread::sleep(BREAK);
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
    // Spread over all numbers, each once.
    bytes[4..8].copy_from_slice(&number.wrapping_mul(0x9E37_79B1).to_be_bytes());
    bytes[12] = 5 << 4;
    bytes[13] = 0x02;
    bytes[14..16].copy_from_slice(&u16::MAX.to_be_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::syn;

    #[test]
    fn every_syn_has_an_isn_of_its_own() {
        let isns: HashSet<[u8; 4]> =
            (0..100_000).map(|number| syn(number)[4..8].try_into().unwrap_or_default()).collect();
        assert_eq!(isns.len(), 100_000);
    }
}
