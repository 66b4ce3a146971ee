//! The bytes of a block in, events out, in the order they were written.

use bytes::Buf;
use tracer_common::events::Stamp;
use tracer_common::{Event, Flow};

use super::tables::ReadTables;
use super::writer::IPV4_MAPPED;
use super::{
    ISN_HERE, ISN_NEXT, ISN_NONE, ISN_SAME, REF_ISN, REF_REVERSED, REF_SHIFT, TAG_ADDRESS, TAG_FLOW, TAG_NETNS,
    TAG_TABLES,
};
use crate::store::kinds;
use crate::store::varint::{self, Malformed};

/// A block under way: hands on events a batch at a time.
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

    /// Hands on up to `max` events; none at the end of the block. How many is counted also when it fails.
    pub fn read(&mut self, max: usize, sink: &mut impl FnMut(Event)) -> Result<(), Malformed> {
        let mut rest = self.raw.get(self.at..).unwrap_or_default();
        let stop = self.events + max as u64;
        while self.events < stop && !rest.is_empty() {
            let tag = rest.try_get_u8()?;
            let length = varint::get_as::<usize>(&mut rest)?;
            let (body, after) = rest.split_at_checked(length).ok_or(Malformed)?;
            rest = after;
            if tag >= TAG_TABLES {
                add_to_tables(&mut self.tables, tag, body)?;
            } else if let Some(event) = self::event(&mut self.tables, &mut self.previous_ns, tag, body)? {
                sink(event);
                self.events += 1;
            } else {
                self.unknown += 1;
            }
        }
        self.at = self.raw.len() - rest.len();
        Ok(())
    }
}

#[inline]
fn event(tables: &mut ReadTables, previous: &mut u64, tag: u8, body: &[u8]) -> Result<Option<Event>, Malformed> {
    let mut from = ItemReader { body, tables };
    let time_ns = previous.wrapping_add(from.signed::<i64>()? as u64);
    *previous = time_ns;
    let netns = from.number()?;
    let netns = from.tables.netns(netns)?;
    kinds::get(Stamp { time_ns, kind: u32::from(tag), netns }, &mut from)
}

/// A newer version's table is skipped: only newer events refer to it.
fn add_to_tables(tables: &mut ReadTables, tag: u8, mut body: &[u8]) -> Result<(), Malformed> {
    match tag {
        TAG_ADDRESS => tables.add_address(address(body)?),
        TAG_NETNS => tables.add_netns(body.try_get_u32_le()?),
        TAG_FLOW => {
            let (src, dst) = (varint::get_as(&mut body)?, varint::get_as(&mut body)?);
            tables.add_flow(src, dst, body.try_get_u16_le()?, body.try_get_u16_le()?)?;
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

/// A flow that an event refers to.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// In the direction that the event saw.
    pub flow: Flow,
    /// The ISN; that of the table where the event has none.
    pub isn: u32,
    ago: u64,
    has_isn: bool,
}

/// Takes an event's fields.
#[derive(Debug)]
pub struct ItemReader<'a> {
    body: &'a [u8],
    tables: &'a mut ReadTables,
}

impl ItemReader<'_> {
    /// A flow by reference.
    #[inline]
    pub fn flow(&mut self) -> Result<Seen, Malformed> {
        let reference = varint::get(&mut self.body)?;
        let ago = reference >> REF_SHIFT;
        let entry = self.tables.flow(ago)?;
        let isn = match reference & REF_ISN {
            ISN_HERE => {
                entry.isn = self.body.try_get_u32_le()?;
                entry.isn
            }
            ISN_NEXT => entry.isn.wrapping_add(1),
            ISN_SAME | ISN_NONE => entry.isn,
            _ => return Err(Malformed),
        };
        let flow = if reference & REF_REVERSED == 0 { entry.flow } else { entry.flow.reversed() };
        Ok(Seen { flow, isn, ago, has_isn: reference & REF_ISN != ISN_NONE })
    }

    /// A flow with the ISN of the event.
    #[inline]
    pub fn flow_with_isn(&mut self) -> Result<Seen, Malformed> {
        self.flow().and_then(|seen| if seen.has_isn { Ok(seen) } else { Err(Malformed) })
    }

    /// Stores an ISN with a flow, as the writer did.
    #[inline]
    pub fn remember_isn(&mut self, of: &Seen, isn: u32) -> Result<(), Malformed> {
        self.tables.flow(of.ago)?.isn = isn;
        Ok(())
    }

    /// A number.
    #[inline]
    pub fn number<T: TryFrom<u64>>(&mut self) -> Result<T, Malformed> {
        varint::get_as(&mut self.body)
    }

    /// A number of either sign.
    #[inline]
    pub fn signed<T: TryFrom<i64>>(&mut self) -> Result<T, Malformed> {
        T::try_from(varint::unzigzag(varint::get(&mut self.body)?)).map_err(|_| Malformed)
    }
}
