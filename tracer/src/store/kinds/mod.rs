//! How each kind of event is stored, one file each, writing and reading side by side.
//!
//! A kind's fields only ever grow at their end: an older reader leaves out the rest, a newer one takes what is missing
//! as zero. To add a kind: a file here, a line in `kinds!`.

mod lost;
mod nat_bind;
mod nat_select;
mod sock_state;
mod syn_retransmit;
mod tick;
mod wire;

use tracer_common::Event;
use tracer_common::events;

use super::block::{ItemReader, ItemWriter};
use super::varint::Malformed;

/// An event as the fields of an item.
pub trait Stored: Sized {
    /// Appends the fields after time and namespace.
    fn put(&self, to: &mut ItemWriter);

    /// Takes them again; `stamp` was stored for all kinds alike.
    fn get(stamp: events::Stamp, from: &mut ItemReader<'_>) -> Result<Self, Malformed>;
}

macro_rules! kinds {
    ($($name:ident,)*) => {
        /// Appends an event's fields; its stamp is stored by the caller.
        #[inline]
        pub fn put(event: &Event, to: &mut ItemWriter) {
            match event {
                $(Event::$name(event) => event.put(to),)*
            }
        }

        /// The number of an event's kind, which is its tag.
        pub const fn number(event: &Event) -> u32 {
            match event {
                $(Event::$name(_) => events::$name::KIND,)*
            }
        }

        /// The event of this kind; `None` if a newer version made it.
        #[inline]
        pub fn get(stamp: events::Stamp, from: &mut ItemReader<'_>) -> Result<Option<Event>, Malformed> {
            Ok(Some(match stamp.kind {
                $(events::$name::KIND => Event::$name(Stored::get(stamp, from)?),)*
                _ => return Ok(None),
            }))
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
}
