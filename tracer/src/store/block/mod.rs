//! A block: items one after the other, each `tag, length, body`. Events, and the tables they refer to.
//!
//! The tables begin empty in every block, so a block can be read without those before it, and on any core.

mod reader;
mod tables;
mod writer;

pub use reader::{BlockReader, ItemReader};
pub use writer::ItemWriter;

/// Tags below are events, by `Stamp::kind`; from here on they are additions to tables.
pub const TAG_TABLES: u8 = 0xc0;
/// An address: 4 bytes IPv4, 16 bytes IPv6.
pub const TAG_ADDRESS: u8 = 0xc0;
/// A network namespace's inode number. Number 0 is namespace 0 and never stored.
pub const TAG_NETNS: u8 = 0xc1;
/// A flow: numbers of source and destination address, source and destination port.
pub const TAG_FLOW: u8 = 0xc2;

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
/// There is none.
pub const ISN_NONE: u64 = 3;
