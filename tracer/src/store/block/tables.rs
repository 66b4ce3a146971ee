//! What was written once in a block and is then only referred to: the writer's side with lookup, the reader's by number.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashTable};
use tracer_common::{Event, Flow};

use crate::store::varint::Malformed;

/// Most shapes in a block. A writer has fewer, its blocks are not that large.
const MAX_SHAPES: usize = 1 << 16;

/// A flow with the ISN that was last stored with it.
#[derive(Clone, Copy, Debug)]
pub struct FlowEntry {
    /// As it was first seen.
    pub flow: Flow,
    /// 0 before one is known.
    pub isn: u32,
}

/// A flow that is in the table.
#[derive(Clone, Copy, Debug)]
pub struct FlowRef {
    /// Its place.
    pub number: u32,
    /// It is the reverse of the one there.
    pub reversed: bool,
}

/// Tables with lookup by content. Flows and shapes are looked up by number, so that what is searched is small.
#[derive(Debug, Default)]
pub struct WriteTables {
    hash: RandomState,
    addresses: HashMap<u128, u32, RandomState>,
    shapes: Vec<Box<[u64]>>,
    shape_numbers: HashTable<u32>,
    flow_numbers: HashTable<u32>,
    pub flows: Vec<FlowEntry>,
    /// The ISN of the event before.
    pub previous_isn: u32,
}

impl WriteTables {
    /// Number of the address, and whether it is new. Block size limits keep every table far below `u32::MAX` entries.
    pub fn address(&mut self, address: [u8; 16]) -> (u32, bool) {
        let next = self.addresses.len() as u32;
        let number = *self.addresses.entry(u128::from_ne_bytes(address)).or_insert(next);
        (number, number == next)
    }

    pub fn shape(&mut self, shape: &[u64]) -> (u32, bool) {
        let Self { shapes, shape_numbers, .. } = self;
        let hash = hash_of_shape(shape);
        let is_it = |&number: &u32| shapes.get(number as usize).is_some_and(|known| is_same(known, shape));
        if let Some(&number) = shape_numbers.find(hash, is_it) {
            return (number, false);
        }
        let number = shapes.len() as u32;
        shapes.push(shape.into());
        let rehash = |&number: &u32| shapes.get(number as usize).map_or(0, |known| hash_of_shape(known));
        shape_numbers.insert_unique(hash, number, rehash);
        (number, true)
    }

    /// The place of the flow or of its reverse, and whether it is new.
    pub fn flow(&mut self, flow: &Flow) -> (FlowRef, bool) {
        let Self { hash, flows, flow_numbers, .. } = self;
        let hash_of = |flow: &Flow| hash_of_either(hash, flow);
        let is_it = |&number: &u32| {
            flows
                .get(number as usize)
                .is_some_and(|FlowEntry { flow: known, .. }| known == flow || is_reverse(known, flow))
        };
        let found_by = hash_of(flow);
        if let Some(&number) = flow_numbers.find(found_by, is_it) {
            let reversed = flows.get(number as usize).is_some_and(|known| known.flow != *flow);
            return (FlowRef { number, reversed }, false);
        }
        let number = flows.len() as u32;
        flows.push(FlowEntry { flow: *flow, isn: 0 });
        let rehash = |&number: &u32| flows.get(number as usize).map_or(0, |known| hash_of(&known.flow));
        flow_numbers.insert_unique(found_by, number, rehash);
        (FlowRef { number, reversed: false }, true)
    }

    pub fn clear(&mut self) {
        self.addresses.clear();
        self.shapes.clear();
        self.shape_numbers.clear();
        self.flow_numbers.clear();
        self.flows.clear();
        self.previous_isn = 0;
    }
}

/// Word by word, as they were written a moment ago: a processor waits when it reads several stores at once.
fn is_same(one: &[u64], other: &[u64]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(one, other)| one == other)
}

fn is_reverse(one: &Flow, other: &Flow) -> bool {
    (one.src_port, one.dst_port) == (other.dst_port, other.src_port) && one.src == other.dst && one.dst == other.src
}

/// A multiplication a word: shapes are few, and no input from outside chooses them.
fn hash_of_shape(shape: &[u64]) -> u64 {
    let mix = |hash: u64, word: &u64| (hash.rotate_left(5) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    shape.iter().fold(0, mix).rotate_left(26)
}

/// Equal for a flow and its reverse.
fn hash_of_either(hash: &RandomState, flow: &Flow) -> u64 {
    let end = |address: [u8; 16], port: u16| {
        let mut hasher = hash.build_hasher();
        hasher.write_u128(u128::from_ne_bytes(address));
        hasher.write_u16(port);
        hasher.finish()
    };
    end(flow.src, flow.src_port).wrapping_add(end(flow.dst, flow.dst_port))
}

/// Tables with lookup by number.
#[derive(Debug, Default)]
pub struct ReadTables {
    pub addresses: Vec<[u8; 16]>,
    /// As a batch takes them, so that one is copied straight into it.
    shapes: Vec<Option<(u32, Event)>>,
    flows: Vec<FlowEntry>,
    /// Of the event before.
    pub previous_isn: u32,
    pub previous_ns: u64,
}

impl ReadTables {
    pub fn clear(&mut self) {
        self.addresses.clear();
        self.shapes.clear();
        self.flows.clear();
        (self.previous_isn, self.previous_ns) = (0, 0);
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
        let address = |number: u32| self.addresses.get(number as usize).copied().ok_or(Malformed);
        let flow = Flow { src: address(src)?, dst: address(dst)?, src_port, dst_port };
        self.flows.push(FlowEntry { flow, isn: 0 });
        Ok(())
    }

    #[inline]
    pub fn shape(&self, number: u64) -> Result<Option<&(u32, Event)>, Malformed> {
        let number = usize::try_from(number).map_err(|_| Malformed)?;
        self.shapes.get(number).map(Option::as_ref).ok_or(Malformed)
    }

    /// The flow that was added so many flows ago.
    #[inline]
    pub fn flow(&mut self, ago: u64) -> Result<&mut FlowEntry, Malformed> {
        let ago = usize::try_from(ago).map_err(|_| Malformed)?;
        let number = self.flows.len().checked_sub(1).and_then(|last| last.checked_sub(ago)).ok_or(Malformed)?;
        self.flows.get_mut(number).ok_or(Malformed)
    }
}
