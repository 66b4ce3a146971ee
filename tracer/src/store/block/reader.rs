//! The bytes of a block in, events out, in the order they were written.

use bytes::Buf;
use tracer_common::events::Stamp;
use tracer_common::{Event, Flow};

use super::tables::ReadTables;
use super::writer::IPV4_MAPPED;
use super::{
    ISN_HERE, ISN_NEXT, ISN_PREVIOUS, ISN_SAME, ITEM_ADDRESS, ITEM_EVENT, ITEM_FLOW, ITEM_SHAPE, REF_ISN, REF_REVERSED,
    REF_SHIFT,
};
use crate::store::kinds;
use crate::store::varint::{self, Malformed};

/// A block while it is read: hands on events a batch at a time.
#[derive(Debug, Default)]
pub struct BlockReader {
    /// The unpacked items; filled by the caller before [`BlockReader::start`].
    pub raw: Vec<u8>,
    at: usize,
    tables: ReadTables,
    previous_ns: u64,
    /// Events handed on since the start.
    pub events: u64,
    /// Events of kinds that are not known here.
    pub unknown: u64,
}

impl BlockReader {
    /// Begins with the block in `raw`.
    pub fn start(&mut self) {
        self.tables.clear();
        (self.at, self.previous_ns, self.events, self.unknown) = (0, 0, 0, 0);
    }

    /// Appends up to `max` events, none at the end of the block, each with `label`. When it fails, those before stay.
    pub fn read(&mut self, max: usize, label: u32, batch: &mut Vec<(u32, Event)>) -> Result<(), Malformed> {
        let mut rest = self.raw.get(self.at..).unwrap_or_default();
        let stop = self.events + max as u64;
        while self.events < stop && !rest.is_empty() {
            let item = varint::get(&mut rest)?;
            let length = varint::get_as::<usize>(&mut rest)?;
            let (body, after) = rest.split_at_checked(length).ok_or(Malformed)?;
            rest = after;
            let Some(shape) = item.checked_sub(ITEM_EVENT) else {
                add_to_tables(&mut self.tables, item, body)?;
                continue;
            };
            let Some(shape) = self.tables.shape(shape)? else {
                self.unknown += 1;
                continue;
            };
            // Filled in where it stays: an event is large enough for a second copy to cost as much as the decoding.
            batch.extend_from_slice(std::slice::from_ref(shape));
            let Some((place, event)) = batch.last_mut() else { break };
            *place = label;
            let mut from = ItemReader { body, tables: &mut self.tables };
            if let Err(malformed) = facts(event, &mut self.previous_ns, &mut from) {
                batch.pop();
                return Err(malformed);
            }
            self.events += 1;
        }
        self.at = self.raw.len() - rest.len();
        Ok(())
    }
}

#[inline]
fn facts(event: &mut Event, previous_ns: &mut u64, from: &mut ItemReader<'_>) -> Result<(), Malformed> {
    let delta = varint::unzigzag(from.number()?);
    *previous_ns = previous_ns.wrapping_add(delta as u64);
    kinds::get_facts(event, *previous_ns, from)
}

/// A newer version's table is skipped: only newer kinds of events refer to it.
fn add_to_tables(tables: &mut ReadTables, item: u64, mut body: &[u8]) -> Result<(), Malformed> {
    match item {
        ITEM_ADDRESS => tables.add_address(address(body)?),
        ITEM_FLOW => {
            let (src, dst) = (varint::get_as(&mut body)?, varint::get_as(&mut body)?);
            tables.add_flow(src, dst, body.try_get_u16_le()?, body.try_get_u16_le()?)?;
        }
        ITEM_SHAPE => {
            let (kind, netns) = (varint::get_as(&mut body)?, varint::get_as(&mut body)?);
            let stamp = Stamp { time_ns: 0, kind, netns };
            tables.add_shape(kinds::get_shape(stamp, &mut ShapeReader { body })?)?;
        }
        _ => {}
    }
    Ok(())
}

fn address(body: &[u8]) -> Result<[u8; 16], Malformed> {
    let mut address = [0; 16];
    if let Ok(v6) = body.try_into() {
        return Ok(v6);
    }
    let v4: [u8; 4] = body.try_into().map_err(|_| Malformed)?;
    address[..12].copy_from_slice(&IPV4_MAPPED);
    address[12..].copy_from_slice(&v4);
    Ok(address)
}

/// Takes an event's facts.
#[derive(Debug)]
pub struct ItemReader<'a> {
    body: &'a [u8],
    tables: &'a mut ReadTables,
}

impl ItemReader<'_> {
    /// A flow by reference.
    #[inline]
    pub fn flow(&mut self) -> Result<Flow, Malformed> {
        let reference = varint::get(&mut self.body)?;
        self.tables.flow(reference >> REF_SHIFT).map(|entry| directed(entry.flow, reference))
    }

    /// A flow with the ISN of the event.
    // A call would hand back its forty bytes through memory, and they are read at once.
    #[inline(always)]
    pub fn flow_with_isn(&mut self) -> Result<(Flow, u32), Malformed> {
        let reference = varint::get(&mut self.body)?;
        let previous = self.tables.previous_isn;
        let entry = self.tables.flow(reference >> REF_SHIFT)?;
        let isn = match reference & REF_ISN {
            ISN_SAME => entry.isn,
            ISN_NEXT => entry.isn.wrapping_add(1),
            ISN_PREVIOUS => {
                entry.isn = previous;
                previous
            }
            // ISN_HERE, the last of the four values that two bits have.
            _ => {
                entry.isn = self.body.try_get_u32_le()?;
                entry.isn
            }
        };
        let flow = directed(entry.flow, reference);
        self.tables.previous_isn = isn;
        Ok((flow, isn))
    }

    /// A flow with the ISN of an event that older readers skip.
    pub fn flow_with_own_isn(&mut self) -> Result<(Flow, u32), Malformed> {
        let reference = varint::get(&mut self.body)?;
        let entry = self.tables.flow(reference >> REF_SHIFT)?;
        let (flow, remembered) = (directed(entry.flow, reference), entry.isn);
        match reference & REF_ISN {
            ISN_SAME => Ok((flow, remembered)),
            ISN_HERE => Ok((flow, self.body.try_get_u32_le()?)),
            _ => Err(Malformed),
        }
    }

    /// A number.
    #[inline]
    pub fn number<T: TryFrom<u64>>(&mut self) -> Result<T, Malformed> {
        varint::get_as(&mut self.body)
    }

    /// Bytes with their number before them.
    pub fn bytes(&mut self) -> Result<&[u8], Malformed> {
        let length = self.number()?;
        let (bytes, rest) = self.body.split_at_checked(length).ok_or(Malformed)?;
        self.body = rest;
        Ok(bytes)
    }

    /// A flow that a later version added.
    pub fn added_flow(&mut self) -> Result<Option<Flow>, Malformed> {
        if self.body.is_empty() { Ok(None) } else { self.flow().map(Some) }
    }

    /// A number that a later version added.
    pub fn added<T: TryFrom<u64> + Default>(&mut self) -> Result<T, Malformed> {
        if self.body.is_empty() { Ok(T::default()) } else { self.number() }
    }
}

#[inline]
fn directed(flow: Flow, reference: u64) -> Flow {
    if reference & REF_REVERSED == 0 { flow } else { flow.reversed() }
}

/// Takes what repeats of an event.
#[derive(Debug)]
pub struct ShapeReader<'a> {
    body: &'a [u8],
}

impl ShapeReader<'_> {
    /// A number.
    pub fn number<T: TryFrom<u64>>(&mut self) -> Result<T, Malformed> {
        varint::get_as(&mut self.body)
    }

    /// A number that a later version added, or that is left out where it is zero.
    pub fn added<T: TryFrom<u64> + Default>(&mut self) -> Result<T, Malformed> {
        if self.body.is_empty() { Ok(T::default()) } else { self.number() }
    }

    /// A number of either sign.
    pub fn signed<T: TryFrom<i64>>(&mut self) -> Result<T, Malformed> {
        T::try_from(varint::unzigzag(varint::get(&mut self.body)?)).map_err(|_| Malformed)
    }
}
