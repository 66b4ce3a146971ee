//! Events in, the bytes of a block out.

use tracer_common::{Event, Flow};

use super::tables::{FlowRef, WriteTables};
use super::{
    ISN_HERE, ISN_NEXT, ISN_PREVIOUS, ISN_SAME, ITEM_ADDRESS, ITEM_EVENT, ITEM_FLOW, ITEM_SHAPE, REF_REVERSED,
    REF_SHIFT,
};
use crate::store::{kinds, varint};

/// An event whose additions to the tables are being written, or whose own item is.
#[derive(Clone, Copy, Debug, Default)]
struct UnderWay {
    item: u64,
    time: u64,
    /// Where its own facts begin, once they do.
    body: Option<usize>,
}

/// Writes items. An event's additions to the tables come before the event itself, which begins with its first fact.
#[derive(Debug, Default)]
pub struct ItemWriter {
    items: Vec<u8>,
    /// What repeats in the current event, as numbers.
    shape: Vec<u64>,
    event: UnderWay,
    tables: WriteTables,
    events: u32,
    previous_ns: u64,
    first_ns: u64,
    last_ns: u64,
}

impl ItemWriter {
    /// Appends an event.
    pub fn push(&mut self, event: &Event) {
        let shape = self.shape(event);
        let time = self.time(event.stamp().time_ns);
        self.event = UnderWay { item: ITEM_EVENT + u64::from(shape), time, body: None };
        kinds::put_facts(event, self);
        let start = self.begun();
        self.put_length(start);
        self.events += 1;
    }

    /// Where the event's own facts begin: after its number and its length, which is not known yet.
    fn begun(&mut self) -> usize {
        if let Some(start) = self.event.body {
            return start;
        }
        varint::put(&mut self.items, self.event.item);
        self.items.push(0);
        let start = self.items.len();
        self.event.body = Some(start);
        varint::put(&mut self.items, self.event.time);
        start
    }

    /// Fills in the length of what was written since `start`.
    fn put_length(&mut self, start: usize) {
        let length = self.items.len() - start;
        if length < 0x80 {
            self.items[start - 1] = length as u8;
        } else {
            let mut bytes = Vec::new();
            varint::put(&mut bytes, length as u64);
            self.items.splice(start - 1..start, bytes);
        }
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
        let (place, is_new) = self.tables.flow(flow);
        if is_new {
            let (src, dst) = (self.address(flow.src), self.address(flow.dst));
            varint::put(&mut self.items, ITEM_FLOW);
            self.items.push(varint_len(src) + varint_len(dst) + 4);
            varint::put(&mut self.items, u64::from(src));
            varint::put(&mut self.items, u64::from(dst));
            self.items.extend_from_slice(&flow.src_port.to_le_bytes());
            self.items.extend_from_slice(&flow.dst_port.to_le_bytes());
        }
        place
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
            self.items.extend_from_slice(&isn.to_le_bytes());
        }
    }

    /// The same for an event that an older reader skips: the ISN is not remembered with the flow.
    pub fn put_flow_with_own_isn(&mut self, to: FlowRef, isn: u32) {
        if self.tables.flows.get(to.number as usize).is_some_and(|entry| entry.isn == isn) {
            self.put_ref(to, ISN_SAME);
        } else {
            self.put_ref(to, ISN_HERE);
            self.items.extend_from_slice(&isn.to_le_bytes());
        }
    }

    fn put_ref(&mut self, to: FlowRef, isn: u64) {
        let ago = (self.tables.flows.len() as u64).saturating_sub(1 + u64::from(to.number));
        let reversed = if to.reversed { REF_REVERSED } else { 0 };
        self.put_number(ago << REF_SHIFT | reversed | isn);
    }

    /// A number.
    pub fn put_number(&mut self, value: impl Into<u64>) {
        self.begun();
        varint::put(&mut self.items, value.into());
    }

    /// Bytes, with their number before them.
    pub fn put_bytes(&mut self, bytes: &[u8]) {
        self.put_number(bytes.len() as u64);
        self.items.extend_from_slice(bytes);
    }

    /// The time as the event stores it.
    fn time(&mut self, time_ns: u64) -> u64 {
        if self.events == 0 {
            (self.first_ns, self.last_ns) = (time_ns, time_ns);
        }
        self.first_ns = self.first_ns.min(time_ns);
        self.last_ns = self.last_ns.max(time_ns);
        let before_ns = std::mem::replace(&mut self.previous_ns, time_ns);
        varint::zigzag(time_ns.wrapping_sub(before_ns) as i64)
    }

    fn shape(&mut self, event: &Event) -> u32 {
        self.shape.clear();
        self.shape.extend([kinds::number(event), event.stamp().netns].map(u64::from));
        kinds::put_shape(event, &mut ShapeWriter { shape: &mut self.shape });
        let (number, is_new) = self.tables.shape(&self.shape);
        if is_new {
            varint::put(&mut self.items, ITEM_SHAPE);
            self.items.push(0);
            let start = self.items.len();
            self.shape.iter().for_each(|&number| varint::put(&mut self.items, number));
            self.put_length(start);
        }
        number
    }

    fn address(&mut self, address: [u8; 16]) -> u32 {
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

/// Writes what repeats of an event.
#[derive(Debug)]
pub struct ShapeWriter<'a> {
    shape: &'a mut Vec<u64>,
}

impl ShapeWriter<'_> {
    /// A number.
    pub fn put_number(&mut self, value: impl Into<u64>) {
        self.shape.push(value.into());
    }

    /// A number of either sign.
    pub fn put_signed(&mut self, value: impl Into<i64>) {
        self.shape.push(varint::zigzag(value.into()));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_has_the_bytes_it_needs() {
        for length in [0, 1, 0x7f, 0x80, 300, 20_000] {
            let mut writer = ItemWriter { items: vec![9, 0], ..ItemWriter::default() };
            writer.items.resize(2 + length, 7);
            writer.put_length(2);
            let mut rest = &writer.bytes()[1..];
            assert_eq!(varint::get_as(&mut rest), Ok(length));
            assert_eq!(rest, vec![7; length]);
        }
    }
}
