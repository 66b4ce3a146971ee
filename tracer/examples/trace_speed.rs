//! How fast and how small: writes and reads a synthetic trace of fully random NAT, half of which fails.
//!
//! `cargo run --release --no-default-features --example trace_speed -- [MILLION EVENTS] [FILE]`

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement, not the product")]

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Instant;

use snatrace::model::{Capture, Filter, Policy};
use snatrace::store::{Merged, Writer};
use tracer_common::events::{
    NatBind, NatSelect, SockState, Stamp, SynRetransmit, TCP_CLOSE, TCP_ESTABLISHED, Tick, WIRE_EGRESS, WIRE_INGRESS,
    WIRE_SYN, WIRE_SYN_ACK, Wire,
};
use tracer_common::{Event, Flow};

const NODE_NETNS: u32 = 4_026_531_840;

/// xorshift64*: repeatable and good enough for ports and ISNs.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, n: u64) -> u64 {
        ((self.next() >> 32) * n) >> 32
    }
}

/// 10,000 connections a second from 40 pods to 2,000 destinations, in the order of their times.
fn events(count: usize) -> Vec<Event> {
    let mut random = Random(88_172_645_463_325_252);
    let mut events = Vec::with_capacity(count + 16);
    let mut start_ns = 1_000_000_000_000;
    while events.len() < count {
        start_ns += 50_000 + random.below(100_000);
        connection(&mut random, start_ns, &mut events);
    }
    events.truncate(count);
    events.sort_by_key(|event| event.stamp().time_ns);
    with_ticks(&events)
}

fn connection(random: &mut Random, start_ns: u64, events: &mut Vec<Event>) {
    let pod = random.below(40);
    let src = Ipv4Addr::new(10, 42, 0, 10 + pod as u8);
    let server = random.below(2_000);
    let dst = SocketAddr::from((Ipv4Addr::new(203, 0, (server >> 8) as u8, server as u8), 443));
    let original = Flow::new(SocketAddr::from((src, 32_768 + random.below(28_232) as u16)), dst);
    let port = 1_024 + random.below(64_512) as u16;
    let translated = Flow::new(SocketAddr::from((Ipv4Addr::new(198, 51, 100, 7), port)), dst);
    let isn = random.next() as u32;
    let (node, socket) = (NODE_NETNS, NODE_NETNS + 100 + pod as u32);
    let mut at = start_ns;
    let mut later = |up_to: u64, random: &mut Random| {
        at += 300 + random.below(up_to);
        at
    };
    let stamp = |time_ns, kind, netns| Stamp { time_ns, kind, netns };
    let wire = |time_ns, flow, packet, direction| {
        let stamp = stamp(time_ns, Wire::KIND, node);
        Event::from(Wire { stamp, flow, isn, ifindex: 2, packet, direction, detail: 0 })
    };
    let select = stamp(later(4_000, random), NatSelect::KIND, node);
    events.push(
        NatSelect { stamp: select, original, flags: 1 << 4 | 1, min_port: 0, max_port: 0, zone: 0, unused: 0 }.into(),
    );
    let bind = stamp(later(4_000, random), NatBind::KIND, node);
    events.push(NatBind { stamp: bind, original, translated, isn, status: 0x10, zone: 0, unused: [0; 3] }.into());
    events.push(wire(later(4_000, random), translated, WIRE_SYN, WIRE_EGRESS));
    if port >= 32_768 {
        events.push(wire(later(900_000, random), translated.reversed(), WIRE_SYN_ACK, WIRE_INGRESS));
        let stamp = stamp(later(8_000, random), SockState::KIND, socket);
        let (isn, new_state) = (isn.wrapping_add(1), TCP_ESTABLISHED);
        events.push(SockState { stamp, flow: original, isn, err: 0, new_state, unused: [0; 3] }.into());
        return;
    }
    for ordinal in 1..=2 {
        let sent = start_ns + 1_000_000_000 * (2_u64.pow(ordinal) - 1) + random.below(4_000_000);
        let stamp = stamp(sent, SynRetransmit::KIND, socket);
        events.push(SynRetransmit { stamp, flow: original, isn, ordinal, err: 0 }.into());
        events.push(wire(sent + 900 + random.below(4_000), translated, WIRE_SYN, WIRE_EGRESS));
    }
    let stamp = stamp(start_ns + 5_000_000_000 + random.below(4_000_000), SockState::KIND, socket);
    events.push(SockState { stamp, flow: original, isn, err: 0, new_state: TCP_CLOSE, unused: [0; 3] }.into());
}

/// A tick every 50 ms, as live.
fn with_ticks(events: &[Event]) -> Vec<Event> {
    let mut all = Vec::with_capacity(events.len() + events.len() / 64);
    let mut next = 0;
    for event in events {
        let time_ns = event.stamp().time_ns;
        if time_ns >= next {
            all.push(Tick { stamp: Stamp { time_ns, kind: Tick::KIND, netns: 0 } }.into());
            next = time_ns + 50_000_000;
        }
        all.push(*event);
    }
    all
}

fn capture() -> Capture {
    Capture {
        version: "0".to_owned(),
        node: "bench".to_owned(),
        kernel: "0".to_owned(),
        session: 1,
        part: 0,
        boot_unix_ns: 0,
        utc_offset_s: 0,
        policy: Policy::default(),
        hooks: Vec::new(),
        addresses: Vec::new(),
        drop_reasons: Vec::new(),
        owners: Vec::new(),
        filter: Filter::default(),
    }
}

fn main() {
    let mut args = std::env::args().skip(1);
    let count = args.next().map_or(5.0, |text| text.parse::<f64>().unwrap()) * 1e6;
    let path = args.next().map_or_else(|| std::env::temp_dir().join("trace_speed.trace"), PathBuf::from);
    let events = events(count as usize);
    let total = events.len() as f64;
    let per_event = |start: Instant| start.elapsed().as_secs_f64() * 1e9 / total;
    for _ in 0..3 {
        let start = Instant::now();
        let mut writer = Writer::create(&path, &capture()).unwrap();
        for event in &events {
            writer.write(event).unwrap();
        }
        let written = writer.finish().unwrap();
        let write_ns = per_event(start);

        let start = Instant::now();
        let mut merged = Merged::open(&[&path]).unwrap();
        let mut batch = Vec::new();
        let mut sum = 0;
        while merged.next_batch(&mut batch).unwrap() {
            sum ^= batch.last().map_or(0, |(_, event)| event.stamp().time_ns);
        }
        let read_ns = per_event(start);
        println!(
            "{total} events, {} blocks: {:.2} bytes/event, write {write_ns:.1} ns, read {read_ns:.1} ns/event ({:.1} M/s) [{sum:x}]",
            merged.report().blocks,
            written.bytes as f64 / total,
            1e3 / read_ns,
        );
    }
}
