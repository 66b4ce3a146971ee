//! The table over netlink (ctnetlink), where the kernel has it loaded.

use std::sync::mpsc::{self, SyncSender};
use std::thread;

use anyhow::bail;
use netlink_sys::protocols::NETLINK_NETFILTER;
use tracer_common::Flow;

use super::entry::{ConntrackEntry, EntryState};
use crate::netlink::{Connection, attribute, attributes, find};
use crate::symbols;

/// Is there where the table can be asked for without loading a module.
const CTNETLINK: &str = "ctnetlink_net_init";
/// `NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET`
const GET: u16 = 0x0101;
/// Bytes of `struct nfgenmsg`: any family, version 0.
const HEADER: usize = 4;
const TCP: u8 = 6;
/// Entries that are handed over at once, and how often before they are taken.
const BATCH: usize = 512;
const BATCHES: usize = 16;
/// `IPS_SEEN_REPLY`
const SEEN_REPLY: u32 = 1 << 1;

/// Attributes: `CTA_*`, inside a tuple `CTA_TUPLE_*`, `CTA_IP_*`, `CTA_PROTO_*`.
mod cta {
    pub(super) const TUPLE_ORIG: u16 = 1;
    pub(super) const TUPLE_REPLY: u16 = 2;
    pub(super) const STATUS: u16 = 3;
    pub(super) const PROTOINFO: u16 = 4;
    pub(super) const TIMEOUT: u16 = 7;
    pub(super) const STATUS_MASK: u16 = 26;
    pub(super) const TUPLE_IP: u16 = 1;
    pub(super) const TUPLE_PROTO: u16 = 2;
    pub(super) const IP_V4_SRC: u16 = 1;
    pub(super) const IP_V4_DST: u16 = 2;
    pub(super) const IP_V6_SRC: u16 = 3;
    pub(super) const IP_V6_DST: u16 = 4;
    pub(super) const PROTO_NUM: u16 = 1;
    pub(super) const PROTO_SRC_PORT: u16 = 2;
    pub(super) const PROTO_DST_PORT: u16 = 3;
    pub(super) const PROTOINFO_TCP: u16 = 1;
    pub(super) const PROTOINFO_TCP_STATE: u16 = 1;
}

/// Whether asking loads nothing.
pub(super) fn is_loaded() -> bool {
    symbols::present(&[CTNETLINK]).is_ok_and(|found| found.contains(CTNETLINK))
}

/// Shows every TCP entry of the namespace of this thread, answered ones first.
///
/// Two threads ask for half of the table each, because the time goes by in the kernel, which lists about half a million entries a
/// second.
pub(super) fn read(mut each: impl FnMut(ConntrackEntry)) -> anyhow::Result<()> {
    thread::scope(|scope| {
        let halves = [true, false].map(|is_replied| {
            let (sender, entries) = mpsc::sync_channel(BATCHES);
            (scope.spawn(move || half(is_replied, &sender)), entries)
        });
        let mut open = [true; 2];
        while open.contains(&true) {
            for (open, (_, entries)) in open.iter_mut().zip(&halves) {
                let batch: Option<Vec<ConntrackEntry>> = entries.recv().ok();
                *open = batch.is_some();
                batch.into_iter().flatten().for_each(&mut each);
            }
        }
        halves.into_iter().try_for_each(|(half, _)| half.join().unwrap_or_else(|_| bail!("reading the table failed")))
    })
}

/// Sends the entries that are replied to, or the others.
fn half(is_replied: bool, sender: &SyncSender<Vec<ConntrackEntry>>) -> anyhow::Result<()> {
    let mut batch = Vec::with_capacity(BATCH);
    let mut is_wanted = true;
    Connection::with(NETLINK_NETFILTER)?.dump(GET, &request(is_replied), |_, message| {
        // Kernels before 5.15 list all.
        let entry = message.get(HEADER..).and_then(entry).filter(|entry| entry.is_replied == is_replied);
        batch.extend(entry.filter(|_| is_wanted));
        if batch.len() == BATCH {
            is_wanted = sender.send(std::mem::replace(&mut batch, Vec::with_capacity(BATCH))).is_ok();
        }
    })?;
    // Fails only where nobody reads any more.
    let _ = sender.send(batch);
    Ok(())
}

fn request(is_replied: bool) -> Vec<u8> {
    let status = if is_replied { SEEN_REPLY } else { 0 };
    let wanted = [(cta::STATUS, status), (cta::STATUS_MASK, SEEN_REPLY)];
    let attributes = wanted.map(|(kind, value)| attribute(kind, &value.to_be_bytes())).concat();
    [vec![0; HEADER], attributes].concat()
}

/// The entry of these attributes; `None` for what is not TCP or not understood.
fn entry(bytes: &[u8]) -> Option<ConntrackEntry> {
    let (mut original, mut reply, mut status, mut remaining, mut state) = (None, None, 0, None, EntryState::Other);
    for (kind, value) in attributes(bytes) {
        match kind {
            cta::TUPLE_ORIG => original = Some(tuple(value)?),
            cta::TUPLE_REPLY => reply = Some(tuple(value)?),
            cta::STATUS => status = number(value)?,
            cta::TIMEOUT => remaining = number(value),
            cta::PROTOINFO => {
                let tcp = find(value, cta::PROTOINFO_TCP)?;
                state = EntryState::of_number(*find(tcp, cta::PROTOINFO_TCP_STATE)?.first()?);
            }
            _ => {}
        }
    }
    Some(ConntrackEntry { original: original?, reply: reply?, is_replied: status & SEEN_REPLY != 0, state, remaining })
}

fn tuple(bytes: &[u8]) -> Option<Flow> {
    let mut flow = Flow::default();
    let mut is_tcp = false;
    for (half, inside) in attributes(bytes) {
        for (kind, value) in attributes(inside) {
            match (half, kind) {
                (cta::TUPLE_IP, cta::IP_V4_SRC | cta::IP_V6_SRC) => flow.src = address(value)?,
                (cta::TUPLE_IP, cta::IP_V4_DST | cta::IP_V6_DST) => flow.dst = address(value)?,
                (cta::TUPLE_PROTO, cta::PROTO_NUM) => is_tcp = *value.first()? == TCP,
                (cta::TUPLE_PROTO, cta::PROTO_SRC_PORT) => flow.src_port = u16::from_be_bytes(*value.first_chunk()?),
                (cta::TUPLE_PROTO, cta::PROTO_DST_PORT) => flow.dst_port = u16::from_be_bytes(*value.first_chunk()?),
                _ => {}
            }
        }
    }
    is_tcp.then_some(flow)
}

/// As a flow has it: IPv4 mapped into IPv6.
fn address(bytes: &[u8]) -> Option<[u8; 16]> {
    match bytes.len() {
        4 => Some(std::net::Ipv4Addr::from(*bytes.first_chunk::<4>()?).to_ipv6_mapped().octets()),
        16 => bytes.first_chunk().copied(),
        _ => None,
    }
}

fn number(bytes: &[u8]) -> Option<u32> {
    bytes.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tuple_of(src: &str, dst: &str) -> Vec<u8> {
        let flow = Flow::new(src.parse().unwrap(), dst.parse().unwrap());
        let addresses = [(1, flow.src), (2, flow.dst)].map(|(kind, address)| attribute(kind, &address[12..]));
        let ports = [(2, flow.src_port), (3, flow.dst_port)].map(|(kind, port)| attribute(kind, &port.to_be_bytes()));
        let protocol = [vec![attribute(1, &[TCP])], ports.to_vec()].concat().concat();
        [attribute(0x8000 | 1, &addresses.concat()), attribute(0x8000 | 2, &protocol)].concat()
    }

    fn bytes() -> Vec<u8> {
        let state = attribute(4, &attribute(1, &attribute(1, &[1])));
        [
            attribute(0x8000 | 1, &tuple_of("10.42.0.5:40112", "203.0.113.80:443")),
            attribute(0x8000 | 2, &tuple_of("203.0.113.80:443", "192.0.2.1:1200")),
            attribute(3, &0x188_u32.to_be_bytes()),
            state,
            attribute(7, &117_u32.to_be_bytes()),
        ]
        .concat()
    }

    #[test]
    fn an_entry_of_the_kernel_is_understood() {
        let entry = entry(&bytes()).unwrap();
        assert_eq!(entry.translated().src_port, 1200);
        assert_eq!((entry.state, entry.remaining, entry.is_replied), (EntryState::SynSent, Some(117), false));
    }

    #[test]
    fn an_entry_that_is_cut_off_anywhere_is_no_trouble() {
        let bytes = bytes();
        assert!((0..bytes.len()).filter(|end| entry(&bytes[..*end]).is_some()).count() < bytes.len());
        let mut zero = bytes;
        zero[0] = 0;
        assert_eq!(entry(&zero), None);
    }
}
