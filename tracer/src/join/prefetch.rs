//! Has the CPU fetch what an event needs a few events ahead of it. Changes nothing but the time that the event takes.

use tracer_common::Event;
use tracer_common::events::TCP_ESTABLISHED;

use super::node::Join;

/// Events between [`Join::prefetch_slot`] and the event: memory is slower than this many events.
pub(super) const SLOT_DISTANCE: usize = 4;
/// Events between [`Join::prefetch_index`] and the event: what it fetches, `prefetch_slot` reads.
pub(super) const INDEX_DISTANCE: usize = 8;

/// The ISN that an event's attempt is most likely found by.
const fn isn(event: &Event) -> Option<u32> {
    match event {
        Event::NatBind(event) => Some(event.isn),
        Event::SynRetransmit(event) => Some(event.isn),
        Event::SockState(event) if event.new_state == TCP_ESTABLISHED => Some(event.isn.wrapping_sub(1)),
        Event::SockState(event) => Some(event.isn),
        Event::Wire(event) => Some(event.isn),
        Event::CtDrop(event) => Some(event.isn),
        Event::NatSelect(_)
        | Event::Lost(_)
        | Event::Tick(_)
        | Event::CtTable(_)
        | Event::Owner(_)
        | Event::Uplink(_)
        | Event::Address(_)
        | Event::Process(_) => None,
    }
}

impl Join {
    /// Where the event will be looked up.
    pub(super) fn prefetch_index(&self, event: &Event) {
        if let Some(isn) = isn(event) {
            self.attempts.fetch_bucket(isn);
        }
        if let Event::NatBind(event) = event {
            self.bindings.fetch(&event.original);
        }
    }

    /// The attempt that the event is most likely about.
    pub(super) fn prefetch_slot(&self, event: &Event) {
        if let Some(isn) = isn(event) {
            self.attempts.fetch(self.attempts.newest(isn));
        }
    }
}
