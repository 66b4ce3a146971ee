//! Tests of the trace format as a whole: what is written comes back, and nothing that is done to a file makes a reader panic.

mod damage;
mod golden;
mod lost;
mod merged;
mod refused;
mod roundtrip;
mod written;

use std::io::Cursor;
use std::path::{Path, PathBuf};

use bytemuck::Zeroable as _;
use tempfile::TempDir;
use tracer_common::events::{
    ADDRESS_ADDED, Address, CtDrop, CtTable, DROP_AT_HOOK, LINK_ENCAPSULATES, LOCAL_ROUTE_ADDED, Lost, NatBind,
    NatSelect, Process, RANGE_KNOWN, SockState, Stamp, SynRetransmit, TCP_CLOSE, Tick, UPLINK_WATCHED, Uplink,
    WIRE_EGRESS, WIRE_INGRESS, WIRE_SYN, WIRE_SYN_ACK, WIRE_UNREACHABLE, Wire,
};
use tracer_common::{Event, Flow};

use super::writer::REPEAT_AFTER_BLOCKS;
use super::{BATCH, Error, Merged, ReadReport, Reader, Sessions, Writer};
use crate::model::{Capture, Owner};

fn capture() -> Capture {
    serde_json::from_value(serde_json::json!({
        "version": "0.1.0", "node": "node-1", "kernel": "6.12.0", "session": 77, "part": 0,
        "boot_unix_ns": 1_700_000_000_000_000_000_i64, "utc_offset_s": 3600,
        "policy": {"v4": "32768-65535", "v6": "32768-65535", "origin": "default"},
        "hooks": [{"stem": "wire", "off": null}],
    }))
    .unwrap()
}

fn stamp(time_ns: u64, kind: u32) -> Stamp {
    Stamp { time_ns, kind, netns: 4_026_531_840 }
}

fn tick(time_ns: u64) -> Event {
    Tick { stamp: Stamp { time_ns, kind: Tick::KIND, netns: 0 } }.into()
}

fn flow(src: &str, dst: &str) -> Flow {
    Flow::new(src.parse().unwrap(), dst.parse().unwrap())
}

fn owner(at: u64) -> Event {
    let Stamp { time_ns, netns, .. } = stamp(at, 0);
    Owner::parse("shop/checkout-7d9f8b6c5d-x2x4z/app").events(time_ns, netns, at / 2).next().unwrap().into()
}

/// One attempt that fails, with every kind of event, beginning at this time with this source port.
fn attempt(at: u64, port: u16) -> Vec<Event> {
    let original = flow(&format!("10.42.0.9:{port}"), "203.0.113.5:443");
    let translated = flow(&format!("198.51.100.7:{}", port ^ 0x5555), "203.0.113.5:443");
    let isn = u32::from(port) * 65_537;
    let stamp = |after_ns, kind| stamp(at + after_ns, kind);
    let zero = Stamp { netns: 0, ..stamp(6_000, Lost::KIND) };
    let wire = |after_ns| Wire {
        stamp: stamp(after_ns, Wire::KIND),
        flow: translated,
        isn,
        ifindex: 2,
        packet: WIRE_SYN,
        direction: WIRE_EGRESS,
        detail: 0,
    };
    let bind = NatBind {
        stamp: stamp(900, NatBind::KIND),
        original,
        translated,
        isn,
        status: 0x10,
        zone: 0,
        range_flags: RANGE_KNOWN | 0x12,
        min_port: 1024,
        max_port: 65_535,
    };
    let dropped = CtDrop {
        stamp: stamp(10_000, CtDrop::KIND),
        flow: translated.reversed(),
        original,
        isn,
        reason: 0x0003_0007,
        status: 0x190,
        ifindex: 2,
        packet: WIRE_SYN_ACK,
        ctinfo: 3,
        place: DROP_AT_HOOK,
        unused: [0; 5],
    };
    let (name, command) = (*b"flannel.1\0\0\0\0\0\0\0", *b"curl\0\0\0\0\0\0\0\0\0\0\0\0");
    let (ifindex, unused) = (2, [0; 2]);
    let uplink = stamp(13_000, Uplink::KIND);
    let (own, local) = (stamp(13_500, Address::KIND), stamp(13_600, Address::KIND));
    vec![
        NatSelect { stamp: stamp(0, NatSelect::KIND), original, flags: 0x11, ..NatSelect::zeroed() }.into(),
        bind.into(),
        wire(1_500).into(),
        tick(at + 2_000),
        SynRetransmit { stamp: stamp(5_000, SynRetransmit::KIND), flow: original, isn, ordinal: 1, err: -11 }.into(),
        Process { stamp: stamp(5_000, Process::KIND), flow: original, isn, socket: 0, pid: 1234, command }.into(),
        // The ring buffers of several CPUs: a little out of order.
        wire(4_000).into(),
        Lost { stamp: zero, counts: [1, 0, u64::MAX, 0] }.into(),
        SockState {
            stamp: stamp(9_000, SockState::KIND),
            flow: original,
            isn,
            err: 110,
            new_state: TCP_CLOSE,
            retransmits: 6,
            unused,
        }
        .into(),
        dropped.into(),
        Wire { packet: WIRE_UNREACHABLE, direction: WIRE_INGRESS, detail: 0x0301, ..wire(11_000) }.into(),
        CtTable { stamp: stamp(12_000, CtTable::KIND), count: 262_000, max: 262_144 }.into(),
        owner(at + 12_500),
        Uplink { stamp: uplink, ifindex, state: UPLINK_WATCHED, link: LINK_ENCAPSULATES, unused, name }.into(),
        Address { stamp: own, addr: translated.src, ifindex, prefix: 120, state: ADDRESS_ADDED, unused }.into(),
        Address { stamp: local, addr: translated.dst, ifindex: 1, prefix: 96 + 28, state: LOCAL_ROUTE_ADDED, unused }
            .into(),
    ]
}

/// How many events that are.
const EACH: usize = 16;

/// Events of three blocks: half a second lies between them.
fn three_blocks() -> Vec<Event> {
    (0..3).flat_map(|block| attempt(block * 1_000_000_000, 40_000 + block as u16)).collect()
}

/// So many blocks that the capture is repeated.
fn many_blocks() -> Vec<Event> {
    let ticks = (0..2 * u64::from(REPEAT_AFTER_BLOCKS)).map(|block| tick((3 + block) * 1_000_000_000));
    three_blocks().into_iter().chain(ticks).collect()
}

fn trace(events: &[Event]) -> Vec<u8> {
    let (_dir, path) = place();
    write(&path, &capture(), events);
    std::fs::read(path).unwrap()
}

fn place() -> (TempDir, PathBuf) {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("t.trace");
    (dir, path)
}

fn write(path: &Path, capture: &Capture, events: &[Event]) {
    let mut writer = Writer::create(path, capture).unwrap();
    events.iter().for_each(|event| writer.write(event).unwrap());
    writer.finish().unwrap();
}

fn read(bytes: &[u8]) -> Result<(Vec<Event>, ReadReport), Error> {
    let mut reader = Reader::new(Path::new("t.trace"), Box::new(Cursor::new(bytes.to_vec())))?;
    let mut batch = Vec::new();
    while reader.blocks.read(BATCH, 0, &mut batch)? {}
    Ok((batch.into_iter().map(|(_, event)| event).collect(), *reader.blocks.report()))
}

fn merged(paths: &[impl AsRef<Path>]) -> Result<Merged, Error> {
    let mut sessions = Sessions::default();
    paths.iter().map(AsRef::as_ref).try_for_each(|path| sessions.add(path, Reader::open(path)?))?;
    Ok(Merged::of(sessions, Vec::new()))
}

fn read_all(paths: &[impl AsRef<Path>]) -> (Vec<Event>, ReadReport) {
    let mut merged = merged(paths).unwrap();
    let (mut all, mut batch) = (Vec::new(), Vec::new());
    while merged.next_batch(&mut batch).unwrap() {
        all.extend(batch.iter().map(|(_, event)| *event));
    }
    (all, merged.report())
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}
