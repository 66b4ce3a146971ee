//! Packet captures as recordings: pcap and pcapng become the stream of events that TC would have made of the same packets.
//!
//! `open` finds out what a file holds and unpacks it. `file` reads packets past damage, from `classic` (pcap) or `pcapng`.
//! `link`, `segment` and `tunnel` read headers, `observation` says what a packet is to an attempt. `syns` distinguishes copies from
//! retransmits and finds the two sides of NAT, `sides` learns from that which interfaces lie before NAT and which SYNs leave.
//! `look` puts that together for a packet, `events` makes events of what was observed, `stream` is the whole. docs/captures.md says
//! what a packet capture shows.

mod classic;
mod file;
mod header;
mod interfaces;
mod link;
mod look;
mod observation;
mod open;
mod pcapng;
mod record;
mod segment;
mod sides;
mod stream;
mod syns;
mod events;
mod tunnel;
mod waiting;

#[cfg(test)]
mod tests;

pub use open::{Opened, UnpackedFile, open, sort};
pub use stream::{PacketOptions, Packets};
