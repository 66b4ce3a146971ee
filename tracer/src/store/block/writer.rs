//! Events in, the bytes of a block out.

use std::convert::Infallible;

use tracer_common::{Event, Flow};

use super::tables::{FlowRef, WriteTables};
use super::{
    ISN_HERE, ISN_NEXT, ISN_PREVIOUS, ISN_SAME, ITEM_ADDRESS, ITEM_EVENT, ITEM_FLOW, ITEM_SHAPE, REF_REVERSED,
    REF_SHIFT,
};
use crate::store::kinds::{self, FactCodec, Number, NumberCodec};
use crate::store::varint;

/// Writes items. An event's additions to the tables come before the event itself.
#[derive(Debug, Default)]
pub struct ItemWriter {
    items: Vec<u8>,
    /// The body of the item under way.
    body: Vec<u8>,
    /// What repeats in the current event, as numbers.
    shape: Vec<u64>,
    tables: WriteTables,
    events: u32,
    previous_ns: u64,
    first_ns: u64,
    last_ns: u64,
}

impl ItemWriter {
    pub fn push(&mut self, event: &Event) {
        let mut event = *event;
        let shape = self.shape(&mut event);
        let Ok(()) = kinds::facts(&mut event, self);
        self.put_item(ITEM_EVENT + u64::from(shape));
        self.events += 1;
    }

    /// Appends an item with the body that was collected.
    fn put_item(&mut self, item: u64) {
        varint::put(&mut self.items, item);
        varint::put(&mut self.items, self.body.len() as u64);
        self.items.append(&mut self.body);
    }

    pub fn bytes(&self) -> &[u8] {
        &self.items
    }

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
    fn place(&mut self, flow: &Flow) -> FlowRef {
        let (place, is_new) = self.tables.flow(flow);
        if is_new {
            let (src, dst) = (self.address_number(flow.src), self.address_number(flow.dst));
            varint::put(&mut self.items, ITEM_FLOW);
            self.items.push(varint_len(src) + varint_len(dst) + 4);
            varint::put(&mut self.items, u64::from(src));
            varint::put(&mut self.items, u64::from(dst));
            self.items.extend_from_slice(&flow.src_port.to_le_bytes());
            self.items.extend_from_slice(&flow.dst_port.to_le_bytes());
        }
        place
    }

    fn put_ref(&mut self, to: FlowRef, isn: u64) {
        let ago = (self.tables.flows.len() as u64).saturating_sub(1 + u64::from(to.number));
        let reversed = if to.reversed { REF_REVERSED } else { 0 };
        varint::put(&mut self.body, ago << REF_SHIFT | reversed | isn);
    }

    fn shape(&mut self, event: &mut Event) -> u32 {
        self.shape.clear();
        self.shape.extend([kinds::number(event), event.stamp().netns].map(u64::from));
        let Ok(()) = kinds::shape(event, &mut self.shape);
        let (number, is_new) = self.tables.shape(&self.shape);
        if is_new {
            self.shape.iter().for_each(|&number| varint::put(&mut self.body, number));
            self.put_item(ITEM_SHAPE);
        }
        number
    }

    fn address_number(&mut self, address: [u8; 16]) -> u32 {
        let (number, is_new) = self.tables.address(address);
        if is_new {
            let stored = address.strip_prefix(&IPV4_MAPPED).unwrap_or(&address);
            varint::put(&mut self.items, ITEM_ADDRESS);
            self.items.push(stored.len() as u8);
            self.items.extend_from_slice(stored);
        }
        number
    }
}

/// What comes before an IPv4 address in its stored form (RFC 4291, 2.5.5.2).
pub const IPV4_MAPPED: [u8; 12] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

impl NumberCodec for ItemWriter {
    type Error = Infallible;

    fn number(&mut self, value: &mut impl Number) -> Result<(), Infallible> {
        varint::put(&mut self.body, (*value).into());
        Ok(())
    }
}

impl NumberCodec for Vec<u64> {
    type Error = Infallible;

    fn number(&mut self, value: &mut impl Number) -> Result<(), Infallible> {
        self.push((*value).into());
        Ok(())
    }
}

impl FactCodec for ItemWriter {
    fn time(&mut self, &mut time_ns: &mut u64) -> Result<(), Infallible> {
        if self.events == 0 {
            (self.first_ns, self.last_ns) = (time_ns, time_ns);
        }
        self.first_ns = self.first_ns.min(time_ns);
        self.last_ns = self.last_ns.max(time_ns);
        let before_ns = std::mem::replace(&mut self.previous_ns, time_ns);
        self.number(&mut varint::zigzag(time_ns.wrapping_sub(before_ns) as i64))
    }

    fn announce(&mut self, flow: &Flow) {
        self.place(flow);
    }

    fn flow(&mut self, flow: &mut Flow) -> Result<(), Infallible> {
        let to = self.place(flow);
        self.put_ref(to, ISN_SAME);
        Ok(())
    }

    fn flow_with_isn(&mut self, flow: &mut Flow, &mut isn: &mut u32) -> Result<(), Infallible> {
        let to = self.place(flow);
        let previous = std::mem::replace(&mut self.tables.previous_isn, isn);
        let Some(entry) = self.tables.flows.get_mut(to.number as usize) else { return Ok(()) };
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
            self.body.extend_from_slice(&isn.to_le_bytes());
        }
        Ok(())
    }

    fn flow_with_own_isn(&mut self, flow: &mut Flow, isn: &mut u32) -> Result<(), Infallible> {
        let to = self.place(flow);
        if self.tables.flows.get(to.number as usize).is_some_and(|entry| entry.isn == *isn) {
            self.put_ref(to, ISN_SAME);
        } else {
            self.put_ref(to, ISN_HERE);
            self.body.extend_from_slice(&isn.to_le_bytes());
        }
        Ok(())
    }

    fn address(&mut self, address: &mut [u8; 16]) -> Result<(), Infallible> {
        self.bytes(address, 16).map(drop)
    }

    fn bytes(&mut self, bytes: &mut [u8], len: usize) -> Result<usize, Infallible> {
        let stored = bytes.get(..len).unwrap_or(bytes);
        varint::put(&mut self.body, stored.len() as u64);
        self.body.extend_from_slice(stored);
        Ok(stored.len())
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
