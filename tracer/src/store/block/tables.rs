//! What was written once in a block and is then only referred to: the writer's side with lookup, the reader's by number.

use hashbrown::HashMap;
use tracer_common::{Event, Flow};

use crate::store::varint::Malformed;

/// Most shapes in a block. A writer has fewer, its blocks are not that large.
const MAX_SHAPES: usize = 1 << 16;

type Numbers<K> = HashMap<K, u32, foldhash::fast::RandomState>;

/// A flow with the ISN that was last stored with it.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// As it was first seen.
    pub flow: Flow,
    /// 0 before one is known.
    pub isn: u32,
}

/// Tables with lookup by content.
#[derive(Debug, Default)]
pub struct WriteTables {
    addresses: Numbers<[u8; 16]>,
    shapes: Numbers<Box<[u8]>>,
    flow_numbers: Numbers<Flow>,
    /// By number.
    pub flows: Vec<Entry>,
    /// The ISN of the event before.
    pub previous_isn: u32,
}

impl WriteTables {
    /// Number of the address, and whether it is new.
    pub fn address(&mut self, address: [u8; 16]) -> (u32, bool) {
        number(&mut self.addresses, address)
    }

    /// Number of the shape, and whether it is new.
    pub fn shape(&mut self, shape: &[u8]) -> (u32, bool) {
        if let Some(number) = self.shapes.get(shape) {
            return (*number, false);
        }
        number(&mut self.shapes, shape.into())
    }

    /// Number of the flow or of its reverse, and whether it is new.
    pub fn flow(&mut self, flow: &Flow) -> (u32, bool) {
        let (number, is_new) = number(&mut self.flow_numbers, either_direction(flow));
        if is_new {
            self.flows.push(Entry { flow: *flow, isn: 0 });
        }
        (number, is_new)
    }

    /// Empties the tables for the next block.
    pub fn clear(&mut self) {
        self.addresses.clear();
        self.shapes.clear();
        self.flow_numbers.clear();
        self.flows.clear();
        self.previous_isn = 0;
    }
}

/// Block size limits keep every table far below `u32::MAX` entries.
fn number<K: std::hash::Hash + Eq>(table: &mut Numbers<K>, key: K) -> (u32, bool) {
    let next = table.len() as u32;
    let number = *table.entry(key).or_insert(next);
    (number, number == next)
}

/// One key for a flow and its answers.
fn either_direction(flow: &Flow) -> Flow {
    if (flow.src, flow.src_port) <= (flow.dst, flow.dst_port) { *flow } else { flow.reversed() }
}

/// Tables with lookup by number.
#[derive(Debug, Default)]
pub struct ReadTables {
    addresses: Vec<[u8; 16]>,
    /// As a batch takes them, so that one is copied straight into it.
    shapes: Vec<Option<(u32, Event)>>,
    flows: Vec<Entry>,
    /// The ISN of the event before.
    pub previous_isn: u32,
}

impl ReadTables {
    /// Empties the tables for the next block.
    pub fn clear(&mut self) {
        self.addresses.clear();
        self.shapes.clear();
        self.flows.clear();
        self.previous_isn = 0;
    }

    /// Adds an address.
    pub fn add_address(&mut self, address: [u8; 16]) {
        self.addresses.push(address);
    }

    /// Adds a shape, as an event without time and flows; `None` for a kind that is not known here.
    pub fn add_shape(&mut self, shape: Option<Event>) -> Result<(), Malformed> {
        if self.shapes.len() >= MAX_SHAPES {
            return Err(Malformed);
        }
        self.shapes.push(shape.map(|event| (0, event)));
        Ok(())
    }

    /// Adds a flow between two addresses known by number.
    pub fn add_flow(&mut self, src: u32, dst: u32, src_port: u16, dst_port: u16) -> Result<(), Malformed> {
        let flow = Flow { src: self.address(src)?, dst: self.address(dst)?, src_port, dst_port };
        self.flows.push(Entry { flow, isn: 0 });
        Ok(())
    }

    /// The shape with this number.
    #[inline]
    pub fn shape(&self, number: u64) -> Result<Option<&(u32, Event)>, Malformed> {
        let number = usize::try_from(number).map_err(|_| Malformed)?;
        self.shapes.get(number).map(Option::as_ref).ok_or(Malformed)
    }

    /// The flow that was added so many flows ago.
    #[inline]
    pub fn flow(&mut self, ago: u64) -> Result<&mut Entry, Malformed> {
        let ago = usize::try_from(ago).map_err(|_| Malformed)?;
        let number = self.flows.len().checked_sub(1).and_then(|last| last.checked_sub(ago)).ok_or(Malformed)?;
        self.flows.get_mut(number).ok_or(Malformed)
    }

    fn address(&self, number: u32) -> Result<[u8; 16], Malformed> {
        self.addresses.get(number as usize).copied().ok_or(Malformed)
    }
}
