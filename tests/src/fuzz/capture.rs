//! The readers of packet captures: pcap, pcapng, gzip, zstd, and all headers in them.

use std::io::Cursor;

use snatrace::join::Joins;
use snatrace::pcap::{Opened, PacketOptions, Packets, sort};
use snatrace::store::{ReadReport, Recording as _};

/// Events that follow from one packet at most: two of interfaces, a tick, the packet, a retransmit.
const EVENTS_OF_PACKET: u64 = 5;
/// Bytes of input: what is packed may unpack to a thousand times as much.
const MAX_LEN: usize = 64 << 10;

/// No panic and no endless loop, and no more events than packets can become.
#[expect(clippy::panic, reason = "that is how a fuzz target says it")]
pub fn check(bytes: &[u8]) {
    if bytes.len() > MAX_LEN {
        return;
    }
    let Ok(Opened::Packets(unpacked)) = sort("input".into(), Box::new(Cursor::new(bytes.to_vec()))) else { return };
    let Ok(mut packets) = Packets::new(vec![unpacked], &PacketOptions::default()) else { return };
    let (mut joins, mut events, mut updates, mut done) = (Joins::new(1), Vec::new(), Vec::new(), Vec::new());
    let mut count = 0;
    while packets.read(256, 0, &mut events, &mut done).is_ok_and(|is_more| is_more) {
        count += events.len() as u64;
        let mut rest = events.as_slice();
        while !rest.is_empty() {
            updates.clear();
            rest = &rest[joins.take(rest, &mut updates)..];
        }
        events.clear();
    }
    let read: u64 = done.iter().map(|(_, report): &(_, ReadReport)| report.packets).sum();
    if count > read * EVENTS_OF_PACKET + 1 {
        panic!("{count} events of {read} packets");
    }
}
