//! A block: items one after the other, each `number, length, body`. Events, and what they refer to.
//!
//! What many events have in common is written once in a table: addresses, flows, and shapes (an event's kind, namespace
//! and everything else that repeats). An event is then the number of its shape and what is its own: time, flow, ISN. The
//! tables begin empty in every block, so a block can be read without those before it, and on any core.

mod reader;
mod tables;
mod writer;

pub use reader::BlockReader;
pub use writer::ItemWriter;

/// Item: an address. 4 bytes IPv4, 16 bytes IPv6.
pub const ITEM_ADDRESS: u64 = 0;
/// Item: a flow. Numbers of source and destination address, source and destination port.
pub const ITEM_FLOW: u64 = 1;
/// Item: a shape. Kind, namespace, then what the kind says.
pub const ITEM_SHAPE: u64 = 2;
/// Items from here on are events: this plus the number of their shape. Those between are for newer versions.
pub const ITEM_EVENT: u64 = 8;

/// A reference to a flow is a number: how many flows were added since it, then these bits.
pub const REF_SHIFT: u32 = 3;
/// The event's flow is the stored one with source and destination exchanged.
pub const REF_REVERSED: u64 = 1 << 2;
/// The lowest two bits say where the ISN is.
pub const REF_ISN: u64 = 0b11;
/// It is the one last stored with this flow.
pub const ISN_SAME: u64 = 0;
/// It is one more than that.
pub const ISN_NEXT: u64 = 1;
/// It follows in four bytes, and is stored with the flow.
pub const ISN_HERE: u64 = 2;
/// It is that of the event before, and is stored with the flow.
pub const ISN_PREVIOUS: u64 = 3;
