//! How each kind of event is stored, one file each, writing and reading side by side.
//!
//! An event has a shape (what repeats from event to event) and facts (what is its own). Both only ever grow at their end:
//! an older reader leaves out the rest, a newer one takes what is missing as zero. To add a kind: a file here, a line in
//! `kinds!`.

mod address;
mod ct_drop;
mod ct_table;
mod lost;
mod nat_bind;
mod nat_select;
mod owner;
mod process;
mod sock_state;
mod syn_retransmit;
mod tick;
mod uplink;
mod wire;

use tracer_common::{Event, Flow, events};

use super::block::{ItemReader, ItemWriter, ShapeReader, ShapeWriter};
use super::varint::Malformed;

/// An event as a shape and facts.
pub trait Stored: Sized {
    /// Appends what repeats, after kind and namespace.
    fn put_shape(&self, to: &mut ShapeWriter<'_>);

    /// Appends what is its own, after the time.
    fn put_facts(&self, to: &mut ItemWriter);

    /// An event of this shape, its facts still zero.
    fn get_shape(stamp: events::Stamp, from: &mut ShapeReader<'_>) -> Result<Self, Malformed>;

    /// Fills in the facts.
    fn get_facts(&mut self, from: &mut ItemReader<'_>) -> Result<(), Malformed>;
}

/// A flow before it is filled in.
const NO_FLOW: Flow = Flow { src: [0; 16], dst: [0; 16], src_port: 0, dst_port: 0 };

macro_rules! kinds {
    ($($name:ident,)*) => {
        /// The number of an event's kind. The variant counts, not what a caller left in the stamp.
        pub const fn number(event: &Event) -> u32 {
            match event {
                $(Event::$name(_) => events::$name::KIND,)*
            }
        }

        /// Appends what repeats.
        pub fn put_shape(event: &Event, to: &mut ShapeWriter<'_>) {
            match event {
                $(Event::$name(event) => event.put_shape(to),)*
            }
        }

        /// Appends what is the event's own.
        pub fn put_facts(event: &Event, to: &mut ItemWriter) {
            match event {
                $(Event::$name(event) => event.put_facts(to),)*
            }
        }

        /// An event of this shape; `None` if a newer version made it.
        pub fn get_shape(stamp: events::Stamp, from: &mut ShapeReader<'_>) -> Result<Option<Event>, Malformed> {
            Ok(Some(match stamp.kind {
                $(events::$name::KIND => Event::$name(Stored::get_shape(stamp, from)?),)*
                _ => return Ok(None),
            }))
        }

        /// Fills in time and facts.
        #[inline]
        pub fn get_facts(event: &mut Event, time_ns: u64, from: &mut ItemReader<'_>) -> Result<(), Malformed> {
            match event {
                $(Event::$name(event) => {
                    event.stamp.time_ns = time_ns;
                    event.get_facts(from)
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
