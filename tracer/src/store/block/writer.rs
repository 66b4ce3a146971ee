//! Events in, the bytes of a block out.

use bytes::{BufMut, BytesMut};
use tracer_common::{Event, Flow};

use super::tables::WriteTables;
use super::{ISN_HERE, ISN_NEXT, ISN_NONE, ISN_SAME, REF_REVERSED, REF_SHIFT, TAG_ADDRESS, TAG_FLOW, TAG_NETNS};
use crate::store::{kinds, varint};

/// A flow that is in the table.
#[derive(Clone, Copy, Debug)]
pub struct FlowRef {
    number: u32,
    reversed: bool,
}

/// Writes items. An event's additions to the tables come before the event itself.
#[derive(Debug, Default)]
pub struct ItemWriter {
    items: BytesMut,
    /// The event under way.
    body: BytesMut,
    tables: WriteTables,
    events: u32,
    previous_ns: u64,
    first_ns: u64,
    last_ns: u64,
}

impl ItemWriter {
    /// Appends an event.
    pub fn push(&mut self, event: &Event) {
        let stamp = event.stamp();
        self.body.clear();
        self.time(stamp.time_ns);
        let netns = self.netns(stamp.netns);
        self.put_number(netns);
        kinds::put(event, self);
        self.items.put_u8(stamp_tag(event));
        varint::put(&mut self.items, self.body.len() as u64);
        self.items.extend_from_slice(&self.body);
        self.events += 1;
    }

    /// The items so far.
    pub fn bytes(&self) -> &[u8] {
        &self.items
    }

    /// How many events are in the block.
    pub const fn events(&self) -> u32 {
        self.events
    }

    /// Smallest and largest time in the block.
    pub const fn span(&self) -> (u64, u64) {
        (self.first_ns, self.last_ns)
    }

    /// Begins the next block.
    pub fn clear(&mut self) {
        self.items.clear();
        self.tables.clear();
        (self.events, self.previous_ns, self.first_ns, self.last_ns) = (0, 0, 0, 0);
    }

    /// The flow's place in the table; it is added if it is new.
    pub fn flow(&mut self, flow: &Flow) -> FlowRef {
        let (number, is_new) = self.tables.flow(flow);
        if !is_new {
            let known = self.tables.flows.get(number as usize);
            return FlowRef { number, reversed: known.is_none_or(|entry| entry.flow != *flow) };
        }
        let (src, dst) = (self.address(flow.src), self.address(flow.dst));
        let length = varint_len(src) + varint_len(dst) + 4;
        self.items.put_u8(TAG_FLOW);
        self.items.put_u8(length);
        varint::put(&mut self.items, u64::from(src));
        varint::put(&mut self.items, u64::from(dst));
        self.items.put_u16_le(flow.src_port);
        self.items.put_u16_le(flow.dst_port);
        FlowRef { number, reversed: false }
    }

    /// A reference to a flow, with its ISN if the event has one.
    pub fn put_flow(&mut self, to: FlowRef, isn: Option<u32>) {
        let ago = (self.tables.flows.len() as u64).saturating_sub(1 + u64::from(to.number));
        let known = self.tables.flows.get(to.number as usize).map_or(0, |entry| entry.isn);
        let place = match isn {
            None => ISN_NONE,
            Some(isn) if isn == known => ISN_SAME,
            Some(isn) if isn == known.wrapping_add(1) => ISN_NEXT,
            Some(_) => ISN_HERE,
        };
        let reversed = if to.reversed { REF_REVERSED } else { 0 };
        varint::put(&mut self.body, ago << REF_SHIFT | reversed | place);
        if let (ISN_HERE, Some(isn)) = (place, isn) {
            self.body.put_u32_le(isn);
            self.remember_isn(to, isn);
        }
    }

    /// Stores an ISN with a flow without writing it; the reader has to do the same.
    pub fn remember_isn(&mut self, of: FlowRef, isn: u32) {
        if let Some(entry) = self.tables.flows.get_mut(of.number as usize) {
            entry.isn = isn;
        }
    }

    /// A number.
    pub fn put_number(&mut self, value: impl Into<u64>) {
        varint::put(&mut self.body, value.into());
    }

    /// A number of either sign.
    pub fn put_signed(&mut self, value: impl Into<i64>) {
        varint::put(&mut self.body, varint::zigzag(value.into()));
    }

    fn time(&mut self, time_ns: u64) {
        if self.events == 0 {
            (self.first_ns, self.last_ns) = (time_ns, time_ns);
        }
        self.first_ns = self.first_ns.min(time_ns);
        self.last_ns = self.last_ns.max(time_ns);
        self.put_signed(time_ns.wrapping_sub(self.previous_ns) as i64);
        self.previous_ns = time_ns;
    }

    fn netns(&mut self, netns: u32) -> u32 {
        let (number, is_new) = self.tables.netns(netns);
        if is_new {
            self.items.put_u8(TAG_NETNS);
            self.items.put_u8(4);
            self.items.put_u32_le(netns);
        }
        number
    }

    fn address(&mut self, address: [u8; 16]) -> u32 {
        let (number, is_new) = self.tables.address(address);
        if is_new {
            let stored = address.strip_prefix(&IPV4_MAPPED).unwrap_or(&address);
            self.items.put_u8(TAG_ADDRESS);
            self.items.put_u8(stored.len() as u8);
            self.items.put_slice(stored);
        }
        number
    }
}

/// What comes before an IPv4 address in its stored form (RFC 4291, 2.5.5.2).
pub const IPV4_MAPPED: [u8; 12] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

/// The variant counts, not what a caller left in the stamp.
fn stamp_tag(event: &Event) -> u8 {
    kinds::number(event) as u8
}

const fn varint_len(value: u32) -> u8 {
    match value {
        0..0x80 => 1,
        0x80..0x4000 => 2,
        0x4000..0x20_0000 => 3,
        0x20_0000..0x1000_0000 => 4,
        0x1000_0000.. => 5,
    }
}
