//! Packet captures made of single packets, read as files are.

mod damage;
mod formats;
mod headers;
mod sides;

use std::io::Cursor;
use std::net::IpAddr;

use etherparse::PacketBuilder;
use tracer_common::Event;
use tracer_common::events::{WIRE_EGRESS, WIRE_SYN, Wire};

use super::{Opened, PacketOptions, Packets, sort};
use crate::join::{Joins, Update, UpdateKind};
use crate::model::Attempt;
use crate::store::{Error, ReadReport, Recording as _};

const ETHERNET: u32 = 1;
const MS: u64 = 1_000_000;
/// 2026-11-27
const START_NS: u64 = 1_795_737_600_000_000_000;

/// What of a TCP header differs.
#[derive(Clone, Copy)]
enum Flags {
    Syn,
    /// For this ISN
    SynAck(u32),
    Ack,
}

fn segment(src: &str, dst: &str, seq: u32, flags: Flags) -> Vec<u8> {
    let (src, dst): (std::net::SocketAddr, std::net::SocketAddr) = (src.parse().unwrap(), dst.parse().unwrap());
    let ip = match (src.ip(), dst.ip()) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => PacketBuilder::ipv4(src.octets(), dst.octets(), 64),
        (IpAddr::V6(src), IpAddr::V6(dst)) => PacketBuilder::ipv6(src.octets(), dst.octets(), 64),
        _ => panic!("two families"),
    };
    let tcp = ip.tcp(src.port(), dst.port(), seq, 64240);
    let tcp = match flags {
        Flags::Syn => tcp.syn(),
        Flags::SynAck(isn) => tcp.syn().ack(isn.wrapping_add(1)),
        Flags::Ack => tcp.ack(1),
    };
    let mut packet = Vec::new();
    tcp.write(&mut packet, &[]).unwrap();
    packet
}

fn syn(src: &str, dst: &str, isn: u32) -> Vec<u8> {
    segment(src, dst, isn, Flags::Syn)
}

fn ethernet(ip: &[u8]) -> Vec<u8> {
    let ethertype: [u8; 2] = if ip[0] >> 4 == 4 { [0x08, 0x00] } else { [0x86, 0xdd] };
    [&[2; 6], &[4; 6], ethertype.as_slice(), ip].concat()
}

/// As `tcpdump -i any` writes it: passed by this interface, leaving or arriving.
fn cooked(ifindex: u8, is_leaving: bool, ip: &[u8]) -> Vec<u8> {
    let ethertype: [u8; 2] = if ip[0] >> 4 == 4 { [0x08, 0x00] } else { [0x86, 0xdd] };
    let header = [0, 0, 0, 0, 0, ifindex, 0, 1, if is_leaving { 4 } else { 0 }, 6, 2, 2, 2, 2, 2, 2, 0, 0];
    [ethertype.as_slice(), &header, ip].concat()
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// A block of pcapng.
fn block(kind: u32, body: &[u8], is_big_endian: bool) -> Vec<u8> {
    let word = |word: u32| if is_big_endian { word.to_be_bytes() } else { word.to_le_bytes() };
    let padded = [body, vec![0; body.len().next_multiple_of(4) - body.len()].as_slice()].concat();
    let len = word(12 + padded.len() as u32);
    [&word(kind), &len, padded.as_slice(), &len].concat()
}

/// A pcap file in nanoseconds, of packets at so many milliseconds.
fn pcap(link: u32, packets: &[(u64, Vec<u8>)]) -> Vec<u8> {
    let mut file = words(&[0xa1b2_3c4d, 0x0004_0002, 0, 0, 65535, link]);
    for (ms, packet) in packets {
        let ns = START_NS + ms * MS;
        let len = packet.len() as u32;
        file.extend(words(&[(ns / 1_000_000_000) as u32, (ns % 1_000_000_000) as u32, len, len]));
        file.extend(packet);
    }
    file
}

fn open(files: Vec<Vec<u8>>, node: &[&str]) -> Result<Packets, Error> {
    let named = |(number, bytes): (usize, Vec<u8>)| match sort(
        format!("{number}.pcap").into(),
        Box::new(Cursor::new(bytes)),
    )? {
        Opened::Packets(unpacked) => Ok(unpacked),
        Opened::Other(..) => panic!("no packet capture"),
    };
    let files = files.into_iter().enumerate().map(named).collect::<Result<_, _>>()?;
    Packets::new(files, &PacketOptions { node: node.iter().map(|addr| addr.parse().unwrap()).collect() })
}

fn read(mut packets: Packets) -> (Vec<(u32, Event)>, ReadReport) {
    let (mut events, mut done) = (Vec::new(), Vec::new());
    while packets.read(64, 0, &mut events, &mut done).unwrap() {}
    let mut report = ReadReport::default();
    done.iter().for_each(|(_, of)| report.add(of));
    (events, report)
}

fn events_of(file: Vec<u8>) -> Vec<Event> {
    read(open(vec![file], &[]).unwrap()).0.into_iter().map(|(_, event)| event).collect()
}

fn wires(file: Vec<u8>) -> Vec<Wire> {
    let wire = |event| if let Event::Wire(wire) = event { Some(wire) } else { None };
    events_of(file).into_iter().filter_map(wire).collect()
}

/// The one SYN that leaves, as `source > destination`.
fn the_syn(file: Vec<u8>) -> String {
    let wires = wires(file);
    let [wire] = wires.as_slice() else { panic!("{wires:?}") };
    assert_eq!((wire.packet, wire.direction), (WIRE_SYN, WIRE_EGRESS));
    format!("{:?}", wire.flow)
}

/// The attempts that follow from files of one node.
fn attempts(files: Vec<Vec<u8>>, node: &[&str]) -> Vec<Attempt> {
    let events = read(open(files, node).unwrap()).0;
    let (mut joins, mut updates) = (Joins::new(1), Vec::new());
    assert_eq!(joins.take(&events, &mut updates), events.len());
    joins.finish(&mut updates);
    let ended = |(_, update)| match update {
        Update::Attempt { kind: UpdateKind::Ended, attempt, .. } => Some(attempt),
        Update::Attempt { .. } | Update::Tick(_) | Update::Context(_) | Update::Evicted(_) => None,
    };
    updates.into_iter().filter_map(ended).collect()
}
