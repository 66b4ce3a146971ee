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
use crate::store::frame::Unpacked;
use crate::store::kinds::{self, FactCodec, Number, NumberCodec};
use crate::store::varint::{self, Malformed};

/// A block while it is read: hands on events a batch at a time.
#[derive(Default)]
pub struct BlockReader {
    /// The items; filled by the caller before [`BlockReader::start`].
    pub unpacked: Unpacked,
    at: usize,
    tables: ReadTables,
    /// Events handed on since the start.
    pub events: u64,
    /// Events of kinds that are not known here.
    pub unknown: u64,
}

impl BlockReader {
    pub fn start(&mut self) {
        self.tables.clear();
        (self.at, self.events, self.unknown) = (0, 0, 0);
    }

    /// Appends up to `max` events, none at the end of the block, each with `label`. When it fails, those before stay.
    pub fn read(&mut self, max: usize, label: u32, batch: &mut Vec<(u32, Event)>) -> Result<(), Malformed> {
        let mut rest = self.unpacked.raw.get(self.at..).unwrap_or_default();
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
            if let Err(malformed) = kinds::facts(event, &mut ItemReader { body, tables: &mut self.tables }) {
                batch.pop();
                return Err(malformed);
            }
            self.events += 1;
        }
        self.at = self.unpacked.raw.len() - rest.len();
        Ok(())
    }
}

/// A newer version's table is skipped: only newer kinds of events refer to it.
fn add_to_tables(tables: &mut ReadTables, item: u64, mut body: &[u8]) -> Result<(), Malformed> {
    match item {
        ITEM_ADDRESS => tables.addresses.push(address(body)?),
        ITEM_FLOW => {
            let (src, dst) = (varint::get_as(&mut body)?, varint::get_as(&mut body)?);
            tables.add_flow(src, dst, body.try_get_u16_le()?, body.try_get_u16_le()?)?;
        }
        ITEM_SHAPE => {
            let (kind, netns) = (varint::get_as(&mut body)?, varint::get_as(&mut body)?);
            let mut shape = kinds::empty(Stamp { time_ns: 0, kind, netns });
            if let Some(event) = &mut shape {
                kinds::shape(event, &mut ItemReader { body, tables })?;
            }
            tables.add_shape(shape)?;
        }
        _ => {}
    }
    Ok(())
}

fn address(body: &[u8]) -> Result<[u8; 16], Malformed> {
    if let Ok(v6) = body.try_into() {
        return Ok(v6);
    }
    let v4: [u8; 4] = body.try_into().map_err(|_| Malformed)?;
    let mut address = [0; 16];
    address[..12].copy_from_slice(&IPV4_MAPPED);
    address[12..].copy_from_slice(&v4);
    Ok(address)
}

struct ItemReader<'a> {
    body: &'a [u8],
    tables: &'a mut ReadTables,
}

impl NumberCodec for ItemReader<'_> {
    type Error = Malformed;

    #[inline]
    fn number(&mut self, value: &mut impl Number) -> Result<(), Malformed> {
        *value = varint::get_as(&mut self.body)?;
        Ok(())
    }

    fn signed(&mut self, value: &mut i32) -> Result<(), Malformed> {
        *value = varint::unzigzag(varint::get(&mut self.body)?).try_into().map_err(|_| Malformed)?;
        Ok(())
    }

    fn goes_on(&self, _: bool) -> bool {
        !self.body.is_empty()
    }
}

impl FactCodec for ItemReader<'_> {
    #[inline]
    fn time(&mut self, time_ns: &mut u64) -> Result<(), Malformed> {
        let delta = varint::unzigzag(varint::get(&mut self.body)?);
        self.tables.previous_ns = self.tables.previous_ns.wrapping_add(delta as u64);
        *time_ns = self.tables.previous_ns;
        Ok(())
    }

    #[inline]
    fn flow(&mut self, flow: &mut Flow) -> Result<(), Malformed> {
        let reference = varint::get(&mut self.body)?;
        *flow = directed(self.tables.flow(reference >> REF_SHIFT)?.flow, reference);
        Ok(())
    }

    // A call would hand over its forty bytes through memory, and they are read at once.
    #[inline(always)]
    fn flow_with_isn(&mut self, flow: &mut Flow, isn: &mut u32) -> Result<(), Malformed> {
        let reference = varint::get(&mut self.body)?;
        let previous = self.tables.previous_isn;
        let entry = self.tables.flow(reference >> REF_SHIFT)?;
        *isn = match reference & REF_ISN {
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
        *flow = directed(entry.flow, reference);
        self.tables.previous_isn = *isn;
        Ok(())
    }

    fn flow_with_own_isn(&mut self, flow: &mut Flow, isn: &mut u32) -> Result<(), Malformed> {
        let reference = varint::get(&mut self.body)?;
        let entry = self.tables.flow(reference >> REF_SHIFT)?;
        *flow = directed(entry.flow, reference);
        *isn = match reference & REF_ISN {
            ISN_SAME => entry.isn,
            ISN_HERE => self.body.try_get_u32_le()?,
            _ => return Err(Malformed),
        };
        Ok(())
    }

    fn address(&mut self, address: &mut [u8; 16]) -> Result<(), Malformed> {
        if self.bytes(address, 16)? == 16 { Ok(()) } else { Err(Malformed) }
    }

    fn bytes(&mut self, bytes: &mut [u8], _: usize) -> Result<usize, Malformed> {
        let length = varint::get_as(&mut self.body)?;
        let (stored, rest) = self.body.split_at_checked(length).ok_or(Malformed)?;
        bytes.get_mut(..length).ok_or(Malformed)?.copy_from_slice(stored);
        self.body = rest;
        Ok(length)
    }
}

#[inline]
fn directed(flow: Flow, reference: u64) -> Flow {
    if reference & REF_REVERSED == 0 { flow } else { flow.reversed() }
}
