//! How each kind of event is stored: one list of its fields, for writing and for reading.
//!
//! An event has a shape (what repeats from event to event) and facts (what is its own). Both only ever grow at their end:
//! an older reader leaves out the rest, a newer one takes what is missing as zero. To add a kind: an `impl Stored`, and a line in
//! `kinds!`.

use bytemuck::Zeroable;
use tracer_common::events::{
    Address, CtDrop, CtTable, Lost, NatBind, NatSelect, Owner, Process, SockState, Stamp, SynRetransmit, Tick, Uplink,
    Wire,
};
use tracer_common::{Event, Flow};

use super::varint;

pub trait Number: Copy + Default + PartialEq + TryFrom<u64> + Into<u64> {}

impl<T: Copy + Default + PartialEq + TryFrom<u64> + Into<u64>> Number for T {}

/// Numbers on their way into a trace, or out of one.
pub trait NumberCodec {
    type Error;

    fn number(&mut self, value: &mut impl Number) -> Result<(), Self::Error>;

    fn signed(&mut self, value: &mut i32) -> Result<(), Self::Error> {
        self.number(&mut varint::zigzag((*value).into()))
    }

    /// Whether an event goes on with fields of a later version; `has_any`: one of them is not zero.
    fn goes_on(&self, has_any: bool) -> bool {
        has_any
    }

    /// Numbers that a later version added; left out where all are zero.
    fn added<T: Number, const N: usize>(&mut self, values: [&mut T; N]) -> Result<(), Self::Error> {
        let has_any = values.iter().any(|value| **value != T::default());
        for value in values {
            if self.goes_on(has_any) {
                self.number(value)?;
            }
        }
        Ok(())
    }
}

/// Facts on their way into a trace, or out of one.
pub trait FactCodec: NumberCodec {
    fn time(&mut self, time_ns: &mut u64) -> Result<(), Self::Error>;

    /// An event with several flows names all of them first: what it adds to the tables comes before its facts.
    fn announce(&mut self, _: &Flow) {}

    fn flow(&mut self, flow: &mut Flow) -> Result<(), Self::Error>;

    fn flow_with_isn(&mut self, flow: &mut Flow, isn: &mut u32) -> Result<(), Self::Error>;

    /// Of an event that an older reader skips: the ISN is not remembered with the flow.
    fn flow_with_own_isn(&mut self, flow: &mut Flow, isn: &mut u32) -> Result<(), Self::Error>;

    fn address(&mut self, address: &mut [u8; 16]) -> Result<(), Self::Error>;

    /// The first `len` bytes; how many there are.
    fn bytes(&mut self, bytes: &mut [u8], len: usize) -> Result<usize, Self::Error>;

    /// Without the zeros at its end.
    fn name(&mut self, name: &mut [u8]) -> Result<(), Self::Error> {
        let len = name.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        self.bytes(name, len).map(drop)
    }
}

/// An event as a shape and facts.
trait Stored {
    /// What repeats, after kind and namespace.
    fn shape<N: NumberCodec>(&mut self, _: &mut N) -> Result<(), N::Error> {
        Ok(())
    }

    /// What is its own, after the time.
    fn facts<F: FactCodec>(&mut self, _: &mut F) -> Result<(), F::Error> {
        Ok(())
    }
}

macro_rules! kinds {
    ($($name:ident,)*) => {
        /// The number of an event's kind. The variant counts, not what a caller left in the stamp.
        pub const fn number(event: &Event) -> u32 {
            match event {
                $(Event::$name(_) => $name::KIND,)*
            }
        }

        /// An event of this kind, all else zero; `None` if a newer version made it.
        pub fn empty(stamp: Stamp) -> Option<Event> {
            Some(match stamp.kind {
                $($name::KIND => {
                    let mut event = $name::zeroed();
                    event.stamp = stamp;
                    Event::$name(event)
                })*
                _ => return None,
            })
        }

        pub fn shape<N: NumberCodec>(event: &mut Event, of: &mut N) -> Result<(), N::Error> {
            match event {
                $(Event::$name(event) => event.shape(of),)*
            }
        }

        #[inline]
        pub fn facts<F: FactCodec>(event: &mut Event, of: &mut F) -> Result<(), F::Error> {
            match event {
                $(Event::$name(event) => {
                    of.time(&mut event.stamp.time_ns)?;
                    event.facts(of)
                })*
            }
        }
    };
}

kinds! {
    NatSelect,
    NatBind,
    SynRetransmit,
    SockState,
    Wire,
    Lost,
    Tick,
    CtDrop,
    CtTable,
    Owner,
    Uplink,
    Address,
    Process,
}

impl Stored for NatSelect {
    fn shape<N: NumberCodec>(&mut self, of: &mut N) -> Result<(), N::Error> {
        of.number(&mut self.flags)?;
        of.number(&mut self.min_port)?;
        of.number(&mut self.max_port)?;
        of.number(&mut self.zone)
    }

    #[inline]
    fn facts<F: FactCodec>(&mut self, of: &mut F) -> Result<(), F::Error> {
        of.flow(&mut self.original)
    }
}

impl Stored for NatBind {
    fn shape<N: NumberCodec>(&mut self, of: &mut N) -> Result<(), N::Error> {
        of.number(&mut self.status)?;
        of.number(&mut self.zone)?;
        // Where `nat_select` was an event of its own there is none.
        of.added([&mut self.range_flags, &mut self.min_port, &mut self.max_port])
    }

    #[inline]
    fn facts<F: FactCodec>(&mut self, of: &mut F) -> Result<(), F::Error> {
        of.announce(&self.original);
        of.announce(&self.translated);
        of.flow_with_isn(&mut self.original, &mut self.isn)?;
        of.flow_with_isn(&mut self.translated, &mut self.isn)
    }
}

impl Stored for SynRetransmit {
    fn shape<N: NumberCodec>(&mut self, of: &mut N) -> Result<(), N::Error> {
        of.number(&mut self.ordinal)?;
        of.signed(&mut self.err)
    }

    #[inline]
    fn facts<F: FactCodec>(&mut self, of: &mut F) -> Result<(), F::Error> {
        of.flow_with_isn(&mut self.flow, &mut self.isn)
    }
}

impl Stored for SockState {
    fn shape<N: NumberCodec>(&mut self, of: &mut N) -> Result<(), N::Error> {
        of.number(&mut self.new_state)?;
        of.number(&mut self.err)?;
        of.added([&mut self.retransmits])
    }

    #[inline]
    fn facts<F: FactCodec>(&mut self, of: &mut F) -> Result<(), F::Error> {
        of.flow_with_isn(&mut self.flow, &mut self.isn)
    }
}

impl Stored for Wire {
    fn shape<N: NumberCodec>(&mut self, of: &mut N) -> Result<(), N::Error> {
        of.number(&mut self.ifindex)?;
        of.number(&mut self.packet)?;
        of.number(&mut self.direction)?;
        of.added([&mut self.detail])
    }

    #[inline]
    fn facts<F: FactCodec>(&mut self, of: &mut F) -> Result<(), F::Error> {
        of.flow_with_isn(&mut self.flow, &mut self.isn)
    }
}

impl Stored for Lost {
    fn facts<F: FactCodec>(&mut self, of: &mut F) -> Result<(), F::Error> {
        of.added(self.counts.each_mut())
    }
}

impl Stored for Tick {}

impl Stored for CtDrop {
    fn shape<N: NumberCodec>(&mut self, of: &mut N) -> Result<(), N::Error> {
        of.number(&mut self.reason)?;
        of.number(&mut self.status)?;
        of.number(&mut self.ifindex)?;
        of.number(&mut self.packet)?;
        of.number(&mut self.ctinfo)?;
        of.number(&mut self.place)
    }

    #[inline]
    fn facts<F: FactCodec>(&mut self, of: &mut F) -> Result<(), F::Error> {
        let has_original = self.original != Flow::default();
        of.announce(&self.flow);
        if has_original {
            of.announce(&self.original);
        }
        of.flow(&mut self.flow)?;
        // Not remembered with the flow: a reader of 1.0 skips this event.
        of.number(&mut self.isn)?;
        if of.goes_on(has_original) { of.flow(&mut self.original) } else { Ok(()) }
    }
}

impl Stored for CtTable {
    fn facts<F: FactCodec>(&mut self, of: &mut F) -> Result<(), F::Error> {
        of.number(&mut self.count)?;
        of.number(&mut self.max)
    }
}

impl Stored for Owner {
    fn facts<F: FactCodec>(&mut self, of: &mut F) -> Result<(), F::Error> {
        of.number(&mut self.since_ns)?;
        of.number(&mut self.part)?;
        of.number(&mut self.parts)?;
        self.length = of.bytes(&mut self.text, self.length.into())? as u8;
        Ok(())
    }
}

impl Stored for Uplink {
    fn shape<N: NumberCodec>(&mut self, of: &mut N) -> Result<(), N::Error> {
        of.number(&mut self.ifindex)?;
        of.number(&mut self.state)?;
        of.number(&mut self.link)
    }

    fn facts<F: FactCodec>(&mut self, of: &mut F) -> Result<(), F::Error> {
        of.name(&mut self.name)
    }
}

impl Stored for Address {
    fn shape<N: NumberCodec>(&mut self, of: &mut N) -> Result<(), N::Error> {
        of.number(&mut self.ifindex)?;
        of.number(&mut self.prefix)?;
        of.number(&mut self.state)
    }

    fn facts<F: FactCodec>(&mut self, of: &mut F) -> Result<(), F::Error> {
        of.address(&mut self.addr)
    }
}

impl Stored for Process {
    fn facts<F: FactCodec>(&mut self, of: &mut F) -> Result<(), F::Error> {
        of.flow_with_own_isn(&mut self.flow, &mut self.isn)?;
        of.number(&mut self.socket)?;
        of.number(&mut self.pid)?;
        of.name(&mut self.command)
    }
}
