//! Events in, the bytes of a block out.

use bytes::{BufMut, BytesMut};
use tracer_common::{Event, Flow};

use super::tables::WriteTables;
use super::{
    ISN_HERE, ISN_NEXT, ISN_PREVIOUS, ISN_SAME, ITEM_ADDRESS, ITEM_EVENT, ITEM_FLOW, ITEM_SHAPE, REF_REVERSED,
    REF_SHIFT,
};
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
    /// Of the event under way: what repeats.
    shape: BytesMut,
    /// Of the event under way: what is its own.
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
        let shape = self.shape(event);
        self.body.clear();
        self.time(stamp.time_ns);
        kinds::put_facts(event, self);
        varint::put(&mut self.items, ITEM_EVENT + u64::from(shape));
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
        varint::put(&mut self.items, ITEM_FLOW);
        self.items.put_u8(length);
        varint::put(&mut self.items, u64::from(src));
        varint::put(&mut self.items, u64::from(dst));
        self.items.put_u16_le(flow.src_port);
        self.items.put_u16_le(flow.dst_port);
        FlowRef { number, reversed: false }
    }

    /// A reference to a flow.
    pub fn put_flow(&mut self, to: FlowRef) {
        self.put_ref(to, ISN_SAME);
    }

    /// A reference to a flow, with the event's ISN.
    pub fn put_flow_with_isn(&mut self, to: FlowRef, isn: u32) {
        let previous = std::mem::replace(&mut self.tables.previous_isn, isn);
        let Some(entry) = self.tables.flows.get_mut(to.number as usize) else { return };
        if isn == entry.isn {
            self.put_ref(to, ISN_SAME);
        } else if isn == entry.isn.wrapping_add(1) {
            self.put_ref(to, ISN_NEXT);
        } else if isn == previous {
            entry.isn = isn;
            self.put_ref(to, ISN_PREVIOUS);
        } else {
            entry.isn = isn;
            self.put_ref(to, ISN_HERE);
            self.body.put_u32_le(isn);
        }
    }

    fn put_ref(&mut self, to: FlowRef, isn: u64) {
        let ago = (self.tables.flows.len() as u64).saturating_sub(1 + u64::from(to.number));
        let reversed = if to.reversed { REF_REVERSED } else { 0 };
        varint::put(&mut self.body, ago << REF_SHIFT | reversed | isn);
    }

    /// A number.
    pub fn put_number(&mut self, value: impl Into<u64>) {
        varint::put(&mut self.body, value.into());
    }

    /// Bytes, with their number before them.
    pub fn put_bytes(&mut self, bytes: &[u8]) {
        varint::put(&mut self.body, bytes.len() as u64);
        self.body.put_slice(bytes);
    }

    fn time(&mut self, time_ns: u64) {
        if self.events == 0 {
            (self.first_ns, self.last_ns) = (time_ns, time_ns);
        }
        self.first_ns = self.first_ns.min(time_ns);
        self.last_ns = self.last_ns.max(time_ns);
        self.put_number(varint::zigzag(time_ns.wrapping_sub(self.previous_ns) as i64));
        self.previous_ns = time_ns;
    }

    fn shape(&mut self, event: &Event) -> u32 {
        self.shape.clear();
        varint::put(&mut self.shape, u64::from(kinds::number(event)));
        varint::put(&mut self.shape, u64::from(event.stamp().netns));
        kinds::put_shape(event, &mut ShapeWriter { shape: &mut self.shape });
        let (number, is_new) = self.tables.shape(&self.shape);
        if is_new {
            varint::put(&mut self.items, ITEM_SHAPE);
            varint::put(&mut self.items, self.shape.len() as u64);
            self.items.extend_from_slice(&self.shape);
        }
        number
    }

    fn address(&mut self, address: [u8; 16]) -> u32 {
        let (number, is_new) = self.tables.address(address);
        if is_new {
            let stored = address.strip_prefix(&IPV4_MAPPED).unwrap_or(&address);
            varint::put(&mut self.items, ITEM_ADDRESS);
            self.items.put_u8(stored.len() as u8);
            self.items.put_slice(stored);
        }
        number
    }
}

/// What comes before an IPv4 address in its stored form (RFC 4291, 2.5.5.2).
pub const IPV4_MAPPED: [u8; 12] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

/// Writes what repeats of an event.
#[derive(Debug)]
pub struct ShapeWriter<'a> {
    shape: &'a mut BytesMut,
}

impl ShapeWriter<'_> {
    /// A number.
    pub fn put_number(&mut self, value: impl Into<u64>) {
        varint::put(self.shape, value.into());
    }

    /// A number of either sign.
    pub fn put_signed(&mut self, value: impl Into<i64>) {
        varint::put(self.shape, varint::zigzag(value.into()));
    }
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
